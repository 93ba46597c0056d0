"""What an all-shared, pruned network loses with the neurons that are most exclusive to a task."""

import numpy as np
import pandas as pd

from pam.reporting.run import Run
from pam.reporting.statistics.bootstrap import Estimate, mean_interval
from pam.reporting.statistics.curves import SHARED, pruned
from pam.reporting.statistics.matched import OK
from pam.reporting.statistics.operating_points import chosen_strengths, strength_of
from pam.reporting.storage import select


def removals(run: Run, experiment: str) -> pd.DataFrame:
    """Return the rows of ``exclusivity.csv`` of one network per (pruning, merging, seed).

    It is the network at the operating point with all tasks running; where no neurons were taken
    from that one, the least pruned network from which they were.
    """
    rows = run.rows("exclusivity", experiment=experiment, status=OK)
    chosen = {
        (row["pruning"], row["merging"], row["seed"]): strength_of(SHARED, row["strengths"])
        for row in chosen_strengths(run, experiment).to_dict("records")
    }
    kept = [rows[:0]]
    for cell, networks in pruned(rows).groupby(["pruning", "merging", "seed"]):
        wanted = np.isclose(networks["strength"], chosen.get(cell, np.nan), rtol=0, atol=1e-6)
        least = networks["strength"] == networks["strength"].min()
        kept.append(networks[wanted if wanted.any() else least])
    return pd.concat(kept)


def loss(rows: pd.DataFrame, step: float, experiment: str) -> Estimate:
    """Return the accuracy lost between no and ``step`` removed neurons, mean over tasks.

    Args:
        rows: rows of ``exclusivity.csv`` of one network per seed.
        step: how many neurons are removed.
        experiment: what the bootstrap's draws depend on.

    Returns:
        Percentage points of test accuracy, over seeds.
    """
    before, after = (
        select(rows, step=number).groupby("seed")["accuracy"].mean() for number in (0, step)
    )
    lost = (100 * (before - after)).dropna()
    return mean_interval(lost, lost.index, experiment)
