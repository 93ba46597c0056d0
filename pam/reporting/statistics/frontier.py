"""The monotone frontier of a quantity against cost, fitted for many bootstrap resamples at once.

Points ``(x, y)`` are measured networks: ``x`` the logarithm of their cost, ``y`` what they lose
(percentage points of accuracy) or reach (accuracy). More computation should never hurt, so the
frontier is the monotone function of ``x`` that is nearest to the points in weighted least squares
(isotonic regression). Between neighbouring points it is interpolated linearly in ``x``.

A bootstrap resample only changes the weights of the points (a seed drawn twice weighs 2, a seed
not drawn 0), so the fit takes a matrix of weights, one row per resample. It uses the max-min form
of isotonic regression (Robertson, Wright and Dykstra, *Order Restricted Statistical Inference*,
1988, section 1.4): the non-increasing fit at point i is

    min over a <= i of  max over b >= i of  mean(y[a..b])
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOLERANCE = 1e-9
"""Percentage points by which rounding may lift a margin over delta without it counting."""


@dataclass(frozen=True)
class Frontier:
    """Monotone fits of the same points under R vectors of weights.

    Attributes:
        x: (U,) distinct positions, increasing.
        fit: (R, U) fitted values; NaN where the weight of a position is 0.
    """

    x: Array
    fit: Array

    def at(self, positions: Array) -> Array:
        """Return the fitted values (R,) at one position per resample; constant beyond the ends.

        A NaN or infinite position gives NaN.
        """
        values = np.full(len(positions), np.nan)
        for row, position in enumerate(positions):
            if np.isfinite(position):
                known = ~np.isnan(self.fit[row])
                values[row] = np.interp(position, self.x[known], self.fit[row, known])
        return values

    def on_grid(self, positions: Array) -> Array:
        """Return the fitted values (R, G) at the same G positions for every resample."""
        known = ~np.isnan(self.fit)
        return np.stack(
            [
                np.interp(positions, self.x[row_known], row[row_known])
                for row, row_known in zip(self.fit, known, strict=True)
            ]
        )

    def first_below(self, level: float) -> tuple[Array, NDArray[np.bool_]]:
        """Return where the fits first come down to ``level``, and whether that is only a bound.

        Returns:
            ``(R,)`` positions: the smallest ``x`` at which the interpolated fit is at most
            ``level``; infinite where it never is. ``(R,)`` bool: True where the first point
            already meets the level, so that the true position lies at or below it.
        """
        known = ~np.isnan(self.fit)
        meets = known & (self.fit <= level + TOLERANCE)
        rows = np.arange(len(self.fit))
        reached = meets.any(axis=1)
        hit = np.where(reached, meets.argmax(axis=1), 0)
        before = _previous(known)[rows, hit]
        bound = reached & (before < 0)
        y_hit, y_before = self.fit[rows, hit], self.fit[rows, before]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.clip((y_before - level) / (y_before - y_hit), 0.0, 1.0)
        crossing = self.x[before] + share * (self.x[hit] - self.x[before])
        position = np.where(bound, self.x[hit], crossing)
        return np.where(reached, position, np.inf), bound


def fit_decreasing(x: Array, y: Array, weights: Array) -> Frontier:
    """Return the non-increasing least-squares fits of ``y`` (P,) against ``x`` (P,).

    ``weights`` (R, P), at least 0, have one row per fit. Points with the same ``x`` count as one
    point at their weighted mean. The result does not depend on the order of the points.
    """
    order = np.lexsort((y, x))
    x, y, weights = x[order], y[order], weights[:, order]
    positions, index = np.unique(x, return_inverse=True)
    member = (index[:, None] == np.arange(len(positions))).astype(np.float64)
    mass, moment = weights @ member, (weights * y) @ member
    fit = _max_min(mass, moment)
    return Frontier(positions, np.where(mass > 0, fit, np.nan))


def fit_increasing(x: Array, y: Array, weights: Array) -> Frontier:
    """Return the non-decreasing fits; see :func:`fit_decreasing`."""
    mirrored = fit_decreasing(x, -y, weights)
    return Frontier(mirrored.x, -mirrored.fit)


def _max_min(mass: Array, moment: Array) -> Array:
    """Return the non-increasing fits (R, U) from the weights and weighted sums (R, U)."""
    best = np.full(mass.shape, np.inf)
    for first in range(mass.shape[1]):
        with np.errstate(invalid="ignore", divide="ignore"):
            # Mean of y over first..b for every b; NaN only where no point there has weight.
            means = np.cumsum(moment[:, first:], axis=1) / np.cumsum(mass[:, first:], axis=1)
        largest = np.fmax.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        best[:, first:] = np.fmin(best[:, first:], largest)
    return best


def _previous(known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return for every (row, index) the nearest known index before it, -1 if there is none."""
    index = np.where(known, np.arange(known.shape[1]), -1)
    latest = np.maximum.accumulate(index, axis=1)
    return np.concatenate([np.full((len(known), 1), -1), latest[:, :-1]], axis=1)
