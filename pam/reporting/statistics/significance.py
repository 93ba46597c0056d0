"""Two-sided tests between two groups of measurements, for many pairs of groups at once."""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit
from scipy.stats import false_discovery_control, ttest_ind_from_stats

from pam.reporting.statistics.frontier import Array


class Groups(NamedTuple):
    """One group of values per test.

    Attributes:
        mean: (tests,) means.
        sd: (tests,) standard deviations, with ``n - 1`` degrees of freedom.
        n: (tests,) numbers of values.
    """

    mean: Array
    sd: Array
    n: Array


def welch(one: Groups, other: Groups) -> Array:
    """Return the p values of two-sided Welch t-tests: means differ, variances may as well.

    Returns:
        (tests,) in 0..1; NaN where a group has fewer than two values. Two groups without any
        scatter have 1 if their means are equal, else 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = ttest_ind_from_stats(*one, *other, equal_var=False).pvalue
    still = (one.sd == 0) & (other.sd == 0)
    p = np.where(still, np.where(one.mean == other.mean, 1.0, 0.0), p)
    return np.where((one.n < 2) | (other.n < 2), np.nan, p)


def smallest_found(one: Groups, other: Groups, level: float) -> Array:
    """Return how far means must lie apart for :func:`welch` to give less than ``level``.

    Returns:
        (tests,) in the unit of the values; 0 where there is no scatter.
    """
    parts = [(group.sd**2 / group.n, group.n - 1) for group in (one, other)]
    variance = parts[0][0] + parts[1][0]
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / sum(part**2 / less for part, less in parts)
    away = stdtrit(freedom, 1 - level / 2) * np.sqrt(variance)
    return np.where(variance == 0, 0.0, away)


def corrected(p: Array) -> Array:
    """Return p values corrected for their number by Benjamini and Hochberg; NaN, no test, stays.

    Of the tests at or below a level, the share of those whose groups do not differ is on average
    at most that level; if no groups differ, that is the chance of finding any.

    Args:
        p: (tests,) in 0..1 or NaN.
    """
    result = np.full(len(p), np.nan)
    tested = ~np.isnan(p)
    result[tested] = false_discovery_control(p[tested]) if tested.any() else []
    return result
