"""Ratios of FLOPs at equal accuracy to any merger, a plug-in's too."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from pam.errors import ConfigError
from pam.reporting.run import Run
from pam.reporting.statistics.matched import BOUND, OK, labelled_requests
from pam.reporting.statistics.matched_cost import Reading, paired, read_costs
from pam.reporting.statistics.points import Networks, pruned_networks
from pam.reporting.statistics.pruning_path import MEAN
from pam.reporting.tables.cell_text import brackets, noted_table, number, ratio_cell
from pam.reporting.tables.text_table import TextTable


def against(run: Run, reference: str, delta: float, **where: str) -> Iterator[TextTable]:
    """Yield the ratios of FLOPs at equal accuracy to a merging row, a table per experiment.

    Of more than two tasks, those of the mean over all combinations of as many tasks. ``where``
    chooses rows of ``measurements.csv``, say those of one ``experiment``. Rows of a pruner that
    has not pruned the reference are left out, as are experiments.

    Raises:
        ConfigError: if no experiment has pruned networks of the reference.
        DataError: if a CSV file is missing or damaged.
    """
    every = [one for one in pruned_networks(run, **where) if one.paths.get(reference)]
    if not every:
        known = {name for one in pruned_networks(run) for name, seeds in one.paths.items() if seeds}
        raise ConfigError(
            f"{run.folder} has no pruned networks of merging '{reference}'; "
            f"known: {', '.join(run.names.order_mergings(known)) or 'none'}"
        )
    header = ["pruning", "tasks", "merging", f"/ {run.names.merging(reference)}", "p", "n"]
    for experiment, group in groupby(every, key=lambda one: one.experiment):
        rows = [row for networks in group for row in _rows(run, networks, reference, delta)]
        most = max((int(row[-1]) for row in rows), default=0)
        notes = [f"{brackets(most)} —: a seed of either never comes within δ = {delta:g}."]
        title = f"{experiment}: ratio of FLOPs to {run.names.merging(reference)}"
        yield noted_table(title, header, rows, 3, notes=notes)


def _rows(run: Run, networks: Networks, reference: str, delta: float) -> Iterator[list[str]]:
    """Yield pruning, request, merging, ratio, p and n of all mergers of one pruner."""
    names = networks.combinations
    requests = labelled_requests(names, run.likely)
    weights = np.stack([*requests.values()])
    weighted = read_costs(networks.paths, names, delta, MEAN).weighted(weights)
    base = weighted.pop(reference)
    ratios = {one: paired(weighted[one], base) for one in run.names.order_mergings(weighted)}
    for index, name in enumerate(requests):
        below = {"status": _status(base, index)}
        for merging, ratio in ratios.items():
            ends = {"mean": ratio.estimate, "low": ratio.low, "high": ratio.high}
            row = {f"ratio_{part}": values[index] for part, values in ends.items()}
            row["status"] = _status(weighted[merging], index)
            is_bound = BOUND in (row["status"], below["status"])
            p = "—" if is_bound else number(ratio.p[index], ".2g")
            labels = [run.names.pruning(networks.pruning), name, run.names.merging(merging)]
            yield [*labels, ratio_cell(row, below, "ratio"), p, str(ratio.n)]


def _status(reading: Reading, index: int) -> str:
    """Return whether a cost is known, or only an upper bound of it."""
    return BOUND if reading.bounds[:, index].any() else OK
