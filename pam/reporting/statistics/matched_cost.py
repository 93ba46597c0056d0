"""Cost at matched accuracy: what every merger costs where it has lost delta, and their ratios.

A drop is how many percentage points of validation accuracy a network lies below the unpruned
single-task network of the same seed. The recipe, step by step:

1. Per seed and task, an isotonic fit of the drop against the logarithm of the cost of the whole
   network, over all networks of the path (:mod:`pam.reporting.statistics.pruning_path`).
2. A merged network is one network, so its tasks cross together: where the mean of their fitted
   drops first exceeds delta as the cost falls (or the largest of them). Networks that share
   nothing cross each on its own, and their costs add up.
3. The cost of a combination of tasks is its cost there; over seeds, the geometric mean.
4. Ratios are paired by seed: the mean of the differences of logarithms, Student's t for the
   interval, exact sign flips for p.

A seed that never comes within delta costs infinitely much, and there is no ratio unless all seeds
of both sides cross. Where the cheapest network still meets delta, its cost is an upper bound. Test
accuracy at the crossing is read from an isotonic fit of its own and decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from pam.errors import DataError
from pam.names import check_known
from pam.reporting.statistics.intervals import Array, sign_flip_p, t_interval
from pam.reporting.statistics.pruning_path import MEAN, REQUIREMENTS, Path, Tasks, fit_path

_POINT = ["merging", "seed", "part", "position", "task", "drop"]
_LEVELS = 1001
"""Drops at which the average over a whole frontier is taken."""

Paths = Mapping[str, Mapping[int, Sequence[Path]]]
"""merging -> seed -> the paths of its parts; every task is in one of them."""


class Ratio(NamedTuple):
    """A ratio of costs, paired by seed; the fields are numbers, or one per combination.

    Attributes:
        estimate: geometric mean over seeds; NaN unless all cross.
        low, high: its 95 % interval; of two seeds their range, of one NaN.
        p: of the exact sign-flip test that the ratio is 1; of one seed NaN.
        n: seeds that both sides have.
        crossed: how many of them come within delta on both sides.
    """

    estimate: Array | float
    low: Array | float
    high: Array | float
    p: Array | float
    n: int
    crossed: Array | int


@dataclass(frozen=True)
class Reading:
    """One merger at one delta: what its S seeds read for C combinations, sorted.

    Attributes:
        seeds: (S,).
        costs: (S, C); infinite where delta is never met.
        accuracies: (S, C) test accuracy, mean over the tasks of a combination; NaN likewise.
        bounds: (S, C) whether the cost is only an upper bound.
    """

    seeds: tuple[int, ...]
    costs: Array
    accuracies: Array
    bounds: Array

    def weighted(self, weights: Array) -> "Reading":
        """Return the means over combinations, with one row of ``weights`` (W, C) each.

        What a request costs is expected to cost, if the combinations are as likely as they weigh.
        """
        chosen = [(row > 0, row[row > 0] / row.sum()) for row in weights]
        means = (
            np.stack([values[:, used] @ share for used, share in chosen], axis=1)
            for values in (self.costs, self.accuracies)
        )
        bounds = np.stack([self.bounds[:, used].any(axis=1) for used, _ in chosen], axis=1)
        return Reading(self.seeds, *means, bounds)


class MatchedCost:
    """What every merger costs at one delta, by the readings of its seeds."""

    def __init__(self, combinations: Sequence[str], readings: Mapping[str, Reading]) -> None:
        self.combinations, self.readings = list(combinations), readings

    @cached_property
    def costs(self) -> pd.DataFrame:
        """The columns merging, combination, seed, cost; infinite where delta is never met."""
        rows = [
            (merging, combination, seed, cost)
            for merging, reading in self.readings.items()
            for combination, costs in zip(self.combinations, reading.costs.T, strict=True)
            for seed, cost in zip(reading.seeds, costs, strict=True)
        ]
        return pd.DataFrame(rows, columns=["merging", "combination", "seed", "cost"])

    def weighted(self, weights: Array) -> dict[str, Reading]:
        """Return merging -> :meth:`Reading.weighted`."""
        return {merging: reading.weighted(weights) for merging, reading in self.readings.items()}

    def mean(self, merging: str, combination: str) -> float:
        """Return the geometric mean over seeds; infinite if a seed never meets delta."""
        return float(np.exp(np.log(self._one(merging, combination).costs).mean()))

    def ratio(self, merging: str, reference: str, combination: str) -> Ratio:
        """Return how many times what ``reference`` costs a merger costs, paired by seed."""
        one, other = (self._one(name, combination) for name in (merging, reference))
        return Ratio(*(np.asarray(field).item() for field in paired(one, other)))

    def _one(self, merging: str, combination: str) -> Reading:
        check_known("merging", merging, self.readings)
        check_known("combination", combination, self.combinations)
        weights = np.array([[name == combination for name in self.combinations]], dtype=np.float64)
        return self.readings[merging].weighted(weights)


def matched_cost(points: pd.DataFrame, delta: float, requirement: str = MEAN) -> MatchedCost:
    """Return what the mergers of one experiment and pruning cost at matched accuracy.

    Args:
        points: one row per pruned network (merging, seed, part, position) and task, with the
            columns merging, seed, part, position, task, drop, and one column of costs per
            combination such as ``A&B``. ``part`` names the tasks that share groups: ``A&B`` for a
            merged network, ``A`` where nothing is shared; the network's cost for tasks of the
            part is read from the column of exactly those tasks. An optional column
            ``accuracy`` is the test accuracy.
        delta: percentage points.
        requirement: ``"mean"`` or ``"worst"``: which fitted drop must come within delta.

    Raises:
        ConfigError: for an unknown requirement.
        DataError: if a column or a task is missing, or a number is not finite.
    """
    names, paths = _paths_of(points)
    return read_costs(paths, names, delta, requirement)


def read_costs(
    paths: Paths, combinations: Sequence[str], delta: float, requirement: str
) -> MatchedCost:
    """Return :func:`matched_cost` of fitted paths."""
    check_known("requirement", requirement, REQUIREMENTS)
    chosen = [frozenset(name.split("&")) for name in combinations]
    levels = np.array([delta], dtype=np.float64)
    readings = {}
    for merging, seeds in paths.items():
        read = [read_levels(seeds[seed], chosen, levels, requirement) for seed in sorted(seeds)]
        empty = np.empty((0, len(chosen)))
        fields = (np.stack(field)[:, :, 0] for field in zip(*read, strict=True))
        readings[merging] = Reading(tuple(sorted(seeds)), *(fields if read else [empty] * 3))
    return MatchedCost(combinations, readings)


def paired(one: Reading, other: Reading) -> Ratio:
    """Return the ratios of the costs of two mergers, one per combination, paired by seed."""
    seeds = sorted({*one.seeds} & {*other.seeds})
    costs = (side.costs[[side.seeds.index(seed) for seed in seeds]] for side in (one, other))
    logs = [np.log(np.where(np.isinf(cost), np.nan, cost)) for cost in costs]
    return _ratio(logs[0] - logs[1])


def whole_frontier(
    one: Mapping[int, Sequence[Path]],
    other: Mapping[int, Sequence[Path]],
    combinations: Sequence[str],
    weights: Array,
    requirement: str,
    largest: float,
) -> Ratio:
    """Return the ratios of costs, one per request, averaged over whole frontiers.

    Per seed, the mean difference of log costs over the drops that all parts of both mergers cover,
    as Bjontegaard's rate does for video codecs: it rests on no single delta.

    Args:
        one: seed -> paths of a merger's parts.
        other: the same of the merger it is compared with.
        combinations: C of tasks.
        weights: (W, C) how likely each combination is.
        requirement: see :func:`matched_cost`.
        largest: the largest drop that counts, in percentage points: how far beyond it a path
            goes has no weight.
    """
    chosen = [frozenset(name.split("&")) for name in combinations]
    seeds = sorted({*one} & {*other})
    differences = np.full((len(seeds), len(weights)), np.nan)
    for row, seed in enumerate(seeds):
        drops = [path.drop(requirement) for path in (*one[seed], *other[seed])]
        low = max(drop.min() for drop in drops)
        high = min(largest, *(drop.max() for drop in drops))
        if low < high:
            levels = np.linspace(low, high, _LEVELS)
            costs = [
                read_levels(side[seed], chosen, levels, requirement)[0] for side in (one, other)
            ]
            logs = [np.log(weights @ cost) for cost in costs]
            difference = np.trapezoid(logs[0] - logs[1], levels, axis=1)
            differences[row] = difference / (high - low)
    return _ratio(differences)


def _ratio(differences: Array) -> Ratio:
    """Return the ratios of differences of logarithms (S, W); NaN where a seed has none."""
    n, crossed = len(differences), np.isfinite(differences).sum(axis=0)
    estimate, low, high, p = np.full((4, differences.shape[1]), np.nan)
    known = (crossed == n) & (n > 0)
    if known.any():
        kept = differences[:, known]
        estimate[known], p[known] = np.exp(kept.mean(axis=0)), sign_flip_p(kept)
        low[known], high[known] = map(np.exp, t_interval(kept))
    return Ratio(estimate, low, high, p, n, crossed)


def read_levels(
    paths: Sequence[Path], combinations: Sequence[Tasks], levels: Array, requirement: str
) -> tuple[Array, Array, Array]:
    """Return costs, test accuracies and bounds (C, L) of one seed at L levels."""
    crossings = [(path, *path.crossing(levels, requirement)) for path in paths]
    costs = np.zeros((len(combinations), len(levels)))
    accuracies, bounds = np.zeros_like(costs), np.zeros_like(costs, dtype=bool)
    for row, tasks in enumerate(combinations):
        for path, position, bound in crossings:
            run = tasks & {*path.tasks}
            if run:
                costs[row] += path.cost(run, position)
                for task in sorted(run):
                    accuracies[row] += path.accuracy(task, position) / len(tasks)
                bounds[row] |= bound
    return costs, accuracies, bounds


def _paths_of(points: pd.DataFrame) -> tuple[list[str], Paths]:
    """Return the combinations and the fitted paths of the argument of :func:`matched_cost`."""
    missing = [name for name in _POINT if name not in points]
    if missing:
        raise DataError(f"points lack the columns [{', '.join(missing)}]")
    names = [str(name) for name in points.columns if name not in (*_POINT, "accuracy")]
    columns = {frozenset(name.split("&")): name for name in names}
    paths: dict[str, dict[int, list[Path]]] = {}
    for (merging, seed, part), rows in points.groupby(["merging", "seed", "part"], sort=False):
        tasks, where = part.split("&"), f"{merging}, seed {seed}, part {part}"
        drops = rows.pivot(index="position", columns="task", values="drop").reindex(columns=tasks)
        networks = rows.drop_duplicates("position").set_index("position").loc[drops.index]
        costs = {
            run: networks[name].to_numpy(np.float64)
            for run, name in columns.items()
            if run <= {*tasks}
        }
        if frozenset(tasks) not in costs:
            raise DataError(f"points have no column of the cost of all tasks of {where}")
        if not all((np.isfinite(cost) & (cost > 0)).all() for cost in costs.values()):
            raise DataError(f"points have a cost that is no positive number, of {where}")
        if not np.isfinite(drops).all(axis=None):
            raise DataError(f"points lack a task, or a drop that is a number, of {where}")
        accuracies = np.full(drops.shape, np.nan)
        if "accuracy" in rows:
            table = rows.pivot(index="position", columns="task", values="accuracy")
            accuracies = table[tasks].to_numpy(np.float64)
        fitted = fit_path(tasks, costs, drops.to_numpy(np.float64).T, accuracies.T)
        paths.setdefault(merging, {}).setdefault(int(seed), []).append(fitted)
    every = sorted({*points["task"]})
    for merging, seed, parts in ((one, *two) for one in paths for two in paths[one].items()):
        if sorted(task for path in parts for task in path.tasks) != every:
            raise DataError(f"points lack a part, or have a task in two, of {merging}, seed {seed}")
    return names, paths
