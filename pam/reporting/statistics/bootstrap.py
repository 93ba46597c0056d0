"""The bootstrap over seeds: resamples, and percentile intervals that stay honest at small n."""

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


def resample_counts(seeds: Sequence[int], *axes: str, resamples: int = RESAMPLES) -> Array:
    """Return how often every seed is drawn in every resample.

    Seeds are drawn with replacement. Where all ``n**n`` draws number at most ``resamples`` (n <= 4)
    they are listed instead of sampled, each once, and the interval has no Monte-Carlo error.

    Args:
        seeds: the seeds, sorted.
        axes: what the draws should depend on, beside the seeds; users of the same axes and
            seeds get the same draws, which is what makes ratios paired.
        resamples: number of draws where they are sampled.

    Returns:
        (R, n) float64 counts; every row sums to n.
    """
    n = len(seeds)
    if n**n <= resamples:
        draws = np.array(list(product(range(n), repeat=n)))
    else:
        generator = np.random.default_rng(derive_seed("bootstrap", *axes, *map(int, seeds)))
        draws = generator.integers(n, size=(resamples, n))
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
    """Return the lower and the upper ends of :func:`percentile_interval`, for many at once.

    Args:
        values: (R, ...) the resamples along the first axis.

    Returns:
        Two arrays of the shape of one resample.
    """
    tail = (1 - COVERAGE) / 2
    undefined = np.isnan(values)
    options = {"axis": 0, "method": "inverted_cdf"}
    low = np.quantile(np.where(undefined, 0.0, values), tail, **options)
    high = np.quantile(np.where(undefined, np.inf, values), 1 - tail, **options)
    return low, high


def mean_interval(values: Iterable[float], seeds: Iterable[int], *axes: str) -> Estimate:
    """Return the mean over seeds and its 95 % bootstrap interval; NaN values are left out.

    Args:
        values: one value per seed, at least 0.
        seeds: the seeds, each once.
        axes: what the draws should depend on, beside the seeds.
    """
    known = {
        int(seed): value for seed, value in zip(seeds, values, strict=True) if not np.isnan(value)
    }
    return ratio_interval(known, dict.fromkeys(known, 1.0), *axes)


def ratio_interval(above: Mapping[int, float], below: Mapping[int, float], *axes: str) -> Estimate:
    """Return the ratio of two means over seeds and its 95 % bootstrap interval, paired by seed.

    Both means are of the seeds that both sides have, and of the same draws of them.

    Args:
        above: seed -> value, at least 0.
        below: seed -> value, above 0.
        axes: what the draws should depend on, beside the seeds.
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

    The field ``mean`` of the estimate is the median.

    Args:
        values: at least one, each at least 0.
        axes: what the draws should depend on, beside how many values there are.
    """
    n = len(values)
    if n == 1:
        return Estimate(1, float(values[0]), np.nan, np.nan)
    counts = resample_counts(range(n), *axes).astype(int)
    drawn = np.repeat(np.tile(values, len(counts)), counts.ravel()).reshape(len(counts), n)
    interval = percentile_interval(np.median(drawn, axis=1))
    return Estimate(n, float(np.median(values)), *interval)
