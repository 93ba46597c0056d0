"""How much the exclusive groups of two tasks repeat each other, before and after pruning."""

import pandas as pd

from pam.reporting.run import Run
from pam.reporting.statistics.bootstrap import Estimate, mean_interval
from pam.reporting.statistics.matched import OK

BEFORE, AFTER = "before", "after"
QUANTITIES = ("mean_max_correlation", "max_correlation")

_AXES = ["pruning", "merging", "layer", "stage"]


def before_and_after(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of unpruned networks and, of every seed, of the most pruned ones.

    Args:
        rows: rows with the axes of a cell: of ``redundancy.csv`` or ``redundancy_samples.csv``.

    Returns:
        The same columns and ``stage``, ``before`` or ``after``.
    """
    strongest = rows.groupby(["pruning", "merging", "seed"])["strength"].transform("max")
    before, after = rows["strength"] == 0, (rows["strength"] > 0) & (rows["strength"] == strongest)
    return pd.concat([rows[before].assign(stage=BEFORE), rows[after].assign(stage=AFTER)])


def correlations(run: Run, experiment: str) -> pd.DataFrame:
    """Return the correlation between exclusive groups, means over seeds.

    Returns:
        One row per (pruning, merging, layer, stage, quantity): ``n``, ``mean``, ``low``, ``high``
        of the absolute Pearson correlation, over all pairs of tasks. No rows without data.
    """
    rows = run.rows("redundancy", experiment=experiment, status=OK)
    rows = before_and_after(rows.dropna(subset=list(QUANTITIES)))
    estimates = []
    for place, cells in rows.groupby(_AXES):
        # One value per seed: pairs of tasks of one network are no further observations.
        seeds = cells.groupby("seed")[list(QUANTITIES)].mean()
        estimates += [
            (*place, quantity, *mean_interval(seeds[quantity], seeds.index, experiment))
            for quantity in QUANTITIES
        ]
    return pd.DataFrame(estimates, columns=[*_AXES, "quantity", *Estimate._fields])
