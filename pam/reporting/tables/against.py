"""What every merger costs of one that the user names."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from pam.errors import ConfigError
from pam.reporting.names import ANY_REQUEST
from pam.reporting.run import Run
from pam.reporting.statistics.matched_cost import paired, read_costs
from pam.reporting.statistics.paths import MEAN
from pam.reporting.statistics.points import pruned_networks
from pam.reporting.tables.cells import brackets, interval, noted_table, number
from pam.reporting.tables.text_table import TextTable


def against(run: Run, reference: str, delta: float) -> Iterator[TextTable]:
    """Yield the ratios of FLOPs at equal accuracy to a merging row, a table per experiment.

    Rows of a pruner that has not pruned the reference are left out, as are experiments.

    Args:
        run: whose networks are compared.
        reference: name of the merging row that counts as 1.
        delta: percentage points of validation accuracy that the tasks may lose on average.

    Raises:
        ConfigError: if no experiment has pruned networks of the reference.
        DataError: if a CSV file is missing or damaged.
    """
    every = [one for one in pruned_networks(run) if one.paths.get(reference)]
    if not every:
        known = {name for one in pruned_networks(run) for name, seeds in one.paths.items() if seeds}
        raise ConfigError(
            f"{run.folder} has no pruned networks of merging '{reference}'; "
            f"known: {', '.join(run.names.order_mergings(known)) or 'none'}"
        )
    header = ["pruning", "tasks", "merging", f"/ {run.names.merging(reference)}", "p", "n"]
    for experiment, group in groupby(every, key=lambda one: one.experiment):
        rows, most = [], 0
        for networks in group:
            names = networks.combinations
            weights = np.vstack([np.eye(len(names)), np.full(len(names), 1 / len(names))])
            readings = read_costs(networks.paths, names, delta, MEAN).readings
            base = readings[reference].weighted(weights)
            mergings = [one for one in run.names.order_mergings(readings) if one != reference]
            ratios = {one: paired(readings[one].weighted(weights), base) for one in mergings}
            for index, name in enumerate([*names, ANY_REQUEST]):
                for merging, ratio in ratios.items():
                    ends = (ratio.estimate[index], ratio.low[index], ratio.high[index])
                    cells = [interval(*ends, ".2f"), number(ratio.p[index], ".2g"), str(ratio.n)]
                    labels = [run.names.pruning(networks.pruning), name, run.names.merging(merging)]
                    rows.append([*labels, *cells])
                    most = max(most, ratio.n)
        notes = [f"{brackets(most)} —: a seed of either never comes within δ = {delta:g}."]
        title = f"{experiment}: ratio of FLOPs to {run.names.merging(reference)}"
        yield noted_table(title, header, rows, 3, notes=notes)
