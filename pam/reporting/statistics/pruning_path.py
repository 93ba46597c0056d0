"""A path of pruned networks of falling cost: its fitted curves, and where they cross a drop.

More computation should never hurt, so what a task loses is fitted as a non-increasing function of
the logarithm of the cost (isotonic regression), over all networks of the path of one seed. The
cheapest network that happens to pass, or a Pareto envelope, would be the best of n noisy readings,
and get better with n.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from pam.reporting.statistics.intervals import Array

MEAN, WORST = "mean", "worst"
REQUIREMENTS = (MEAN, WORST)
"""What must come within delta: the mean of the fitted drops of a path's tasks, or the largest."""

TOLERANCE = 1e-9
"""Percentage points by which rounding may lift a drop over delta without it counting."""

Tasks = frozenset[str]


@dataclass(frozen=True)
class Path:
    """The fits of one part, tasks that share groups, of one merger and seed.

    Attributes:
        tasks: the T tasks of the part.
        x: (U,) logarithm of the cost of the whole part, increasing.
        drops: (T, U) fitted drops, non-increasing in ``x``, in percentage points.
        accuracies: (T, U) fitted test accuracies, non-decreasing in ``x``; NaN where not known.
        log_costs: sets of the part's tasks -> (U,) logarithm of what they cost when they run.
    """

    tasks: tuple[str, ...]
    x: Array
    drops: Array
    accuracies: Array
    log_costs: Mapping[Tasks, Array]

    def drop(self, requirement: str) -> Array:
        """Return the drop (U,) that must come within delta, see :data:`REQUIREMENTS`."""
        return self.drops.mean(axis=0) if requirement == MEAN else self.drops.max(axis=0)

    def crossing(self, levels: Array, requirement: str) -> tuple[Array, NDArray[np.bool_]]:
        """Return where the drop, coming from large costs, first exceeds ``levels`` (L,).

        Between networks the drop is linear in ``x``.

        Returns:
            ``(L,)`` positions: the smallest ``x`` with a drop of at most the level; infinite
            where no network has one. ``(L,)`` bool: whether it is only a bound, because the
            cheapest network still meets the level.
        """
        drop = self.drop(requirement)
        # The first network, from the cheapest on, that meets the level.
        meets = np.searchsorted(-drop, -levels - TOLERANCE)
        after = np.minimum(meets, len(drop) - 1)
        before = np.maximum(after - 1, 0)
        rise = drop[before] - drop[after]
        share = np.clip((drop[before] - levels) / np.where(rise > 0, rise, 1.0), 0.0, 1.0)
        position = self.x[before] + share * (self.x[after] - self.x[before])
        position = np.where(meets == 0, self.x[0], position)
        return np.where(meets == len(drop), np.inf, position), meets == 0

    def cost(self, tasks: Tasks, positions: Array) -> Array:
        """Return what ``tasks`` of the part cost at positions (L,), interpolated in logarithms."""
        costs = np.exp(np.interp(positions, self.x, self.log_costs[tasks]))
        return np.where(np.isinf(positions), np.inf, costs)

    def accuracy(self, task: str, positions: Array) -> Array:
        """Return the fitted test accuracy of a task at positions (L,); NaN at infinity."""
        found = np.interp(positions, self.x, self.accuracies[self.tasks.index(task)])
        return np.where(np.isinf(positions), np.nan, found)


def fit_path(
    tasks: Sequence[str], costs: Mapping[Tasks, Array], drops: Array, accuracies: Array
) -> Path:
    """Return the fits of a path of P networks, in any order.

    Networks of the same cost count as one at the mean of their drops.

    Args:
        tasks: of the part, in the order of the other arguments.
        costs: sets of the tasks -> (P,) cost when they run, above 0; that of all must be there.
        drops: (T, P) percentage points below the single-task networks.
        accuracies: (T, P) test accuracies; NaN where not known.
    """
    x, index, counts = np.unique(
        np.log(costs[frozenset(tasks)]), return_inverse=True, return_counts=True
    )

    def means(values: Array) -> Array:
        return np.bincount(index, values) / counts

    def fits(rows: Array, increasing: bool) -> Array:
        how = {"weights": counts, "increasing": increasing}
        fit = scipy.optimize.isotonic_regression
        return np.stack([fit(means(row), **how).x for row in rows])

    known = not np.isnan(accuracies).any()
    return Path(
        tuple(tasks),
        x,
        fits(drops, increasing=False),
        fits(accuracies, increasing=True) if known else np.full((len(tasks), len(x)), np.nan),
        {chosen: means(np.log(cost)) for chosen, cost in costs.items()},
    )
