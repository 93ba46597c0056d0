"""The bootstrap over seeds: resamples, and percentile intervals that stay honest at small n.

``axes`` are what draws depend on beside the seeds: users of the same axes and seeds get the same
draws, which is what makes ratios paired.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from pam.reporting.statistics.frontier import Array
from pam.seeds import derive_seed

RESAMPLES = 1000
COVERAGE = 0.95


class Estimate(NamedTuple):
    """A mean over ``n`` seeds and its 95 % interval; NaN where there is none (``n`` below 2)."""

    n: int
    mean: float
    low: float
    high: float


def resample_counts(seeds: Sequence[int], *axes: str) -> Array:
    """Return how often every one of the sorted seeds is drawn in every resample.

    Seeds are drawn with replacement. Where all ``n**n`` draws number at most :data:`RESAMPLES`
    (n <= 4), they are listed, not sampled, each once: the interval has no Monte-Carlo error.

    Returns:
        (R, n) float64 counts; every row sums to n.
    """
    n = len(seeds)
    if n**n <= RESAMPLES:
        draws = np.array(list(product(range(n), repeat=n)))
    else:
        generator = np.random.default_rng(derive_seed("bootstrap", *axes, *map(int, seeds)))
        draws = generator.integers(n, size=(RESAMPLES, n))
    return (draws[:, :, None] == np.arange(n)).sum(axis=1).astype(np.float64)


def percentile_interval(values: Array) -> tuple[float, float]:
    """Return the 95 % percentile interval of a bootstrapped cost or ratio of costs.

    The ends are values that occurred (no interpolation), so with two or three seeds the interval
    is the full range of the resamples. An undefined value (NaN: a resample in which neither of two
    mergers reached the accuracy) excludes nothing: it counts as 0 for the lower end and as
    infinite for the upper end.

    Args:
        values: (R,) at least 0; infinite where the accuracy is not reached.
    """
    low, high = percentile_band(values)
    return float(low), float(high)


def percentile_band(values: Array) -> tuple[Array, Array]:
    """Return the ends of :func:`percentile_interval`, for many at once.

    The resamples lie along the first axis of ``values``, (R, ...); both ends are of shape (...).
    """
    tail = (1 - COVERAGE) / 2
    undefined = np.isnan(values)
    options = {"axis": 0, "method": "inverted_cdf"}
    low = np.quantile(np.where(undefined, 0.0, values), tail, **options)
    high = np.quantile(np.where(undefined, np.inf, values), 1 - tail, **options)
    return low, high


def mean_interval(values: Iterable[float], seeds: Iterable[int], *axes: str) -> Estimate:
    """Return the mean over seeds of one value each, at least 0, and its 95 % bootstrap interval.

    NaN values are left out.
    """
    known = {
        int(seed): value for seed, value in zip(seeds, values, strict=True) if not np.isnan(value)
    }
    return ratio_interval(known, dict.fromkeys(known, 1.0), *axes)


def ratio_interval(above: Mapping[int, float], below: Mapping[int, float], *axes: str) -> Estimate:
    """Return the ratio of two means over seeds and its 95 % bootstrap interval, paired by seed.

    Both means are of the seeds that both sides have, and of the same draws of them. Values are
    at least 0, those below the line are above 0.
    """
    seeds = sorted({*above} & {*below})
    if not seeds:
        return Estimate(0, np.nan, np.nan, np.nan)
    one, other = (np.array([side[seed] for seed in seeds]) for side in (above, below))
    ratio = float(one.mean() / other.mean())
    if len(seeds) == 1:
        return Estimate(1, ratio, np.nan, np.nan)
    counts = resample_counts(seeds, *axes)
    return Estimate(len(seeds), ratio, *percentile_interval((counts @ one) / (counts @ other)))


def median_interval(values: Sequence[float], *axes: str) -> Estimate:
    """Return the median of values, e.g. of rounds, and its 95 % bootstrap interval.

    There is at least one value, each at least 0. The field ``mean`` of the estimate is the median.
    """
    n = len(values)
    if n == 1:
        return Estimate(1, float(values[0]), np.nan, np.nan)
    counts = resample_counts(range(n), *axes).astype(int)
    drawn = np.repeat(np.tile(values, len(counts)), counts.ravel()).reshape(len(counts), n)
    interval = percentile_interval(np.median(drawn, axis=1))
    return Estimate(n, float(np.median(values)), *interval)
