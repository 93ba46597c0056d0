"""How much tasks share, and the two conditions for merging before pruning.

Relatedness: what two networks share, against how much the labels of their tasks have in common.
Exclusivity: what an all-shared, pruned network loses with the neurons most exclusive to a task.
Redundancy: how much the exclusive groups of two tasks repeat each other, before and after pruning.
"""

import numpy as np
import pandas as pd

from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.intervals import Estimate, mean_interval
from pam.reporting.statistics.matched import OK
from pam.reporting.statistics.operating_points import chosen_strengths, strength_of
from pam.reporting.statistics.points import SHARED, pruned
from pam.reporting.storage import select

ALL_LAYERS = "all layers"
PARTS = ("shared", "exclusive", "removed")
KEPT = "shared of kept"
PAIR = ["merging", "task_a", "task_b"]

BEFORE, AFTER = "before", "after"
QUANTITIES = ("mean_max_correlation", "max_correlation")

_STAGE_AXES = ["pruning", "merging", "layer", "stage"]


def shares(run: Run, experiment: str) -> pd.DataFrame:
    """Return the share of neurons that are shared, exclusive and removed, means over seeds.

    Returns:
        One row per (merging, pair, layer, part), pairs by increasing label information:
        ``n``, ``mean``, ``low``, ``high`` in percent of the candidates (``shared of kept``: of
        those not removed), and ``information``, the mutual information of the two tasks' labels
        in nats. Intervals end at 0 and 100. The layer ``all layers`` is the sum of the others. No
        rows without data.
    """
    rows = run.rows("relatedness", experiment=experiment, status=OK)
    counts = ["neurons", "shared", "exclusive_a", "exclusive_b", "removed"]
    how = dict.fromkeys(counts, "sum") | {"label_information_nats": "mean"}
    whole = rows.groupby([*PAIR, "seed"], as_index=False).agg(how).assign(layer=ALL_LAYERS)
    rows = pd.concat([rows[whole.columns], whole], ignore_index=True)
    rows["exclusive"] = rows["exclusive_a"] + rows["exclusive_b"]
    percent = {part: 100 * rows[part] / rows["neurons"] for part in PARTS}
    percent[KEPT] = 100 * rows["shared"] / (rows["neurons"] - rows["removed"])
    rows = rows.assign(**percent)
    estimates = []
    for place, cells in rows.groupby([*PAIR, "layer"]):
        information = cells["label_information_nats"].mean()
        estimates += [(*place, information, part, *mean_interval(cells[part])) for part in percent]
    columns = [*PAIR, "layer", "information", "part", *Estimate._fields]
    found = pd.DataFrame(estimates, columns=columns)
    ends = found[["low", "high"]].clip(0, 100)
    return found.assign(**ends).sort_values("information", kind="stable")


def layers_of(shared: pd.DataFrame) -> list[str]:
    """Return the layers of :func:`shares` in order, all of them together first."""
    layers = sorted(set(shared["layer"]) - {ALL_LAYERS}, key=natural_key)
    return [ALL_LAYERS, *layers]


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


def loss(rows: pd.DataFrame, step: float) -> Estimate:
    """Return the test accuracy lost between no and ``step`` removed neurons, mean over tasks.

    ``rows`` are of ``exclusivity.csv``, one network per seed; the loss is in percentage points.
    """
    before, after = (
        select(rows, step=number).groupby("seed")["accuracy"].mean() for number in (0, step)
    )
    return mean_interval(100 * (before - after))


def before_and_after(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of unpruned networks and, of every seed, of the most pruned ones.

    They have one more column: ``stage``, ``before`` or ``after``.
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
    for place, cells in rows.groupby(_STAGE_AXES):
        # One value per seed: pairs of tasks of one network are no further observations.
        seeds = cells.groupby("seed")[list(QUANTITIES)].mean()
        estimates += [
            (*place, quantity, *mean_interval(seeds[quantity])) for quantity in QUANTITIES
        ]
    return pd.DataFrame(estimates, columns=[*_STAGE_AXES, "quantity", *Estimate._fields])
