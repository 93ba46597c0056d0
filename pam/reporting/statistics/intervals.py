"""Intervals and tests over seeds: Student's t, exact sign flips, Holm's correction.

Student's t and not the percentile bootstrap: over six seeds the bootstrap's interval of the ratio
of two equal methods covered 1 in 83 % of simulations, that of t in 93 to 96 %.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

COVERAGE = 0.95
LEVEL = 0.05
_MOST_FLIPS = 2**14


class Estimate(NamedTuple):
    """A mean over ``n`` values and its 95 % interval; NaN where there is none.

    Of two values ``low`` and ``high`` are their range.
    """

    n: int
    mean: float
    low: float
    high: float


def t_interval(values: Array) -> tuple[Array, Array]:
    """Return the ends (...) of the 95 % intervals by Student's t of means of ``values`` (n, ...).

    Of one value there is none (NaN). Of two it is their range: that of t would be twelve times as
    wide as their scatter.
    """
    n = len(values)
    if n < 2:
        none = np.full(values.shape[1:], np.nan)
        return none, none
    if n == 2:
        return values.min(axis=0), values.max(axis=0)
    times = scipy.stats.t.ppf((1 + COVERAGE) / 2, n - 1)
    half = times * values.std(axis=0, ddof=1) / np.sqrt(n)
    return values.mean(axis=0) - half, values.mean(axis=0) + half


def mean_interval(values: Iterable[float]) -> Estimate:
    """Return the mean of values, e.g. one per seed, with its interval; NaN values are left out."""
    known = np.array([value for value in values if not np.isnan(value)], dtype=np.float64)
    if not len(known):
        return Estimate(0, np.nan, np.nan, np.nan)
    return Estimate(len(known), float(known.mean()), *map(float, t_interval(known)))


def ratio_interval(above: pd.Series, below: pd.Series) -> Estimate:
    """Return the geometric mean of ratios of values above 0, paired by seed, with its interval.

    Seeds, which are the index, that only one side has are left out, as is NaN. The interval is one
    of logarithms.
    """
    n, *ends = mean_interval(np.log(above / below))
    return Estimate(n, *map(float, np.exp(ends)))


def median_interval(values: Sequence[float]) -> Estimate:
    """Return the median of values, e.g. of rounds, with its 95 % interval between order statistics.

    It supposes nothing of their distribution. Of two to five values it is their range, of one there
    is none. The field ``mean`` is the median.
    """
    n, interval = len(values), (np.nan, np.nan)
    if n > 1:
        interval = (min(values), max(values))
    if n > 5:
        interval = scipy.stats.quantile_test(values).confidence_interval(COVERAGE)
    return Estimate(n, float(np.median(values)), *map(float, interval))


def sign_flip_p(differences: Array) -> Array:
    """Return the two-sided p values (tests,) of paired ``differences`` (n, tests) being about 0.

    If nothing differs, each difference is as likely as its negative. Up to 14 pairs all flips of
    signs are counted, which makes p exact; the smallest is 2 / 2^n. Of more pairs as many flips
    are drawn. NaN for fewer than two pairs.
    """
    if len(differences) < 2:
        return np.full(differences.shape[1:], np.nan)
    how = {"permutation_type": "samples", "n_resamples": _MOST_FLIPS, "rng": 0}
    test = scipy.stats.permutation_test
    return test((differences,), np.mean, vectorized=True, axis=0, **how).pvalue


def holm(p: Array) -> Array:
    """Return p values (tests,) corrected by Holm; NaN, no test, stays.

    The chance that any of the tests of which nothing differs falls below a level is at most it.
    """
    corrected = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return corrected
