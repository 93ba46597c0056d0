"""From CSV rows to the points whose frontier is fitted: one curve per independent part.

A merged network has one pruning strength for all tasks, so all its tasks must come within delta at
that strength. Networks that share no group (B1) are pruned each on its own: every one of them is a
curve of its own, chooses its own strength, and the costs of a combination add up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pam.reporting.run import Run
from pam.reporting.statistics.frontier import Array
from pam.reporting.storage import select

SHARED = "shared"

_POINT = ["seed", "strength"]
_COSTS = ("flops", "macs", "parameters")


@dataclass(frozen=True)
class Curve:
    """Measured networks of one part of a combination, one element per (seed, strength).

    Attributes:
        tasks: the tasks of the combination that this part serves.
        seed, strength: (P,) axes.
        margin: (P,) percentage points of validation accuracy below the single-task networks,
            the worst of the part's tasks, whether they run in this combination or not.
        accuracy: (P,) test accuracy, mean over ``tasks``.
        flops, macs, parameters: (P,) of this part when ``tasks`` run.
    """

    tasks: tuple[str, ...]
    seed: Array
    strength: Array
    margin: Array
    accuracy: Array
    flops: Array
    macs: Array
    parameters: Array

    def of_seeds(self, seeds: Sequence[float]) -> "Curve":
        """Return the points of some seeds only."""
        keep = np.isin(self.seed, seeds)
        arrays = {name: value[keep] for name, value in vars(self).items() if name != "tasks"}
        return Curve(tasks=self.tasks, **arrays)


Family = dict[str, dict[str, list[Curve]]]
"""merging -> combination -> its curves, of one experiment and pruning."""


def common_seeds(curves: Sequence[Curve]) -> list[float]:
    """Return the seeds for which every curve has points, sorted; none without curves."""
    return sorted(set.intersection(*(set(curve.seed) for curve in curves))) if curves else []


def components(groups: Iterable[str], tasks: Iterable[str]) -> list[frozenset[str]]:
    """Return the sets of a network's tasks that are connected by a common group.

    Groups are called ``A``, ``A&C`` or ``shared`` (all tasks).
    """
    tasks = list(tasks)
    parts = [frozenset([task]) for task in tasks]
    for group in groups:
        members = frozenset(tasks if group == SHARED else group.split("&"))
        touched = [part for part in parts if part & members]
        parts = [part for part in parts if not part & members] + [frozenset().union(*touched)]
    return sorted(parts, key=lambda part: min(map(tasks.index, part)))


def build_curves(
    measurements: pd.DataFrame, accuracies: pd.DataFrame, groups: pd.DataFrame
) -> dict[str, list[Curve]]:
    """Return the curves of every combination of one (experiment, pruning, merging).

    Combinations of which nothing was measured have no curves. Rows that are not ``ok`` are left
    out. ``groups`` are those of the experiment and merging; without any, all tasks are connected.
    """
    measured = measurements[measurements["status"] == "ok"]
    rated = accuracies[accuracies["status"] == "ok"]
    if measured.empty or rated.empty:
        return {name: [] for name in measurements["combination"].unique() if name}
    tasks = sorted(rated["task"].unique())
    merged = groups.loc[groups["stage"] == "merged", "group"].unique()
    parts = components(merged if len(merged) else [SHARED], tasks)
    loss = rated["single_task_validation_accuracy"] - rated["validation_accuracy"]
    # The CSV has six decimals; rounding takes off what the subtraction adds beyond them.
    rated = rated.assign(margin=(100 * loss).round(4))
    rated = rated.pivot(index=_POINT, columns="task", values=["margin", "accuracy"])
    costs = {
        frozenset(name.split("&")): rows.set_index(_POINT)[list(_COSTS)].sort_index()
        for name, rows in measured.groupby("combination")
    }
    return {
        combination: [
            _curve(costs, rated, part, [task for task in names if task in part])
            for part in parts
            if part.intersection(names)
        ]
        for combination in measured["combination"].unique()
        for names in [combination.split("&")]
    }


def _curve(
    costs: dict[frozenset[str], pd.DataFrame],
    rated: pd.DataFrame,
    part: frozenset[str],
    tasks: list[str],
) -> Curve:
    """Join the cost of running ``tasks`` with the margin of the whole part."""
    cost = costs.get(frozenset(tasks), next(iter(costs.values()))[:0])
    margin = rated["margin"][sorted(part)].max(axis=1)
    accuracy = rated["accuracy"][tasks].mean(axis=1)
    points = cost.assign(
        margin=margin.reindex(cost.index), accuracy=accuracy.reindex(cost.index)
    ).dropna()
    columns = {name: points[name].to_numpy(np.float64) for name in points}
    axes = {name: points.index.get_level_values(name).to_numpy(np.float64) for name in _POINT}
    return Curve(tasks=tuple(tasks), **axes, **columns)


def families(run: Run) -> list[tuple[str, str, Family]]:
    """Return (experiment, pruning, curves of every merging) of a run, sorted.

    Networks of strength 0 are left out: they have not had the fine-tuning that follows pruning, so
    they are no point of the same frontier.
    """
    measurements = pruned(run.table("measurements"))
    accuracies, groups = pruned(run.table("accuracies")), run.table("groups")
    every = []
    for (experiment, pruning), rows in measurements.groupby(["experiment", "pruning"]):
        family = {}
        for merging, cells in rows.groupby("merging"):
            axes = {"experiment": experiment, "merging": merging}
            rated = select(accuracies, pruning=pruning, **axes)
            family[merging] = build_curves(cells, rated, select(groups, **axes))
        every.append((experiment, pruning, family))
    return every


def pruned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of networks that were pruned, or were to be: those not of strength 0."""
    return frame[frame["strength"] != 0]
