"""The fitted frontier against slow references and against what must hold for any input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from pam.reporting.statistics.bootstrap import percentile_interval, resample_counts
from pam.reporting.statistics.curves import Curve
from pam.reporting.statistics.frontier import fit_decreasing, fit_increasing
from pam.reporting.statistics.matched import BOUND, NOT_REACHED, OK, FittedCurves


def pava(y: list[float], w: list[float]) -> list[float]:
    """Pool adjacent violators, one at a time: the non-increasing fit of distinct, sorted x."""
    blocks = []
    for value, weight in zip(y, w, strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            value, weight, size = blocks.pop()
            low = blocks[-1]
            total = low[1] + weight
            blocks[-1] = [(low[0] * low[1] + value * weight) / total, total, low[2] + size]
    return [value for value, _, size in blocks for _ in range(size)]


values = st.floats(-5, 20).map(lambda v: round(v, 3))
points = st.lists(st.tuples(st.integers(0, 30), values, st.integers(1, 4)), min_size=1, max_size=25)


def columns(rows):
    return (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))


@given(points)
def test_equals_pool_adjacent_violators(rows):
    distinct = list({x: (x, y, w) for x, y, w in sorted(rows)}.values())
    x, y, w = columns(distinct)
    fitted = fit_decreasing(x, y, w[None])
    assert np.allclose(fitted.fit[0], pava(list(y), list(w)), atol=1e-9)


@given(points)
def test_equals_scikit_learn_with_ties(rows):
    x, y, w = columns(rows)
    reference = IsotonicRegression(increasing=False).fit(x, y, sample_weight=w)
    fitted = fit_decreasing(x, y, w[None])
    assert np.allclose(fitted.fit[0], reference.predict(fitted.x), atol=1e-6)
    assert np.all(np.diff(fitted.fit[0]) <= 1e-9)


@given(points)
def test_weights_are_duplicates(rows):
    x, y, w = columns(rows)
    repeated = np.repeat(np.arange(len(x)), w.astype(int))
    weighted = fit_decreasing(x, y, w[None])
    duplicated = fit_decreasing(x[repeated], y[repeated], np.ones((1, len(repeated))))
    assert np.allclose(weighted.fit, duplicated.fit, atol=1e-9)


@given(points, st.lists(st.booleans(), min_size=25, max_size=25), values)
def test_weight_zero_is_absence(rows, kept, level):
    x, y, w = columns(rows)
    keep = np.array(kept[: len(x)])
    keep[0] = True
    with_zeros = fit_decreasing(x, y, (w * keep)[None])
    without = fit_decreasing(x[keep], y[keep], w[keep][None])
    known = ~np.isnan(with_zeros.fit[0])
    assert np.array_equal(with_zeros.x[known], without.x)
    assert np.allclose(with_zeros.fit[0, known], without.fit[0], atol=1e-9)
    for one, other in zip(with_zeros.first_below(level), without.first_below(level), strict=True):
        assert one[0] == pytest.approx(other[0])


@given(points, values, st.randoms(use_true_random=False))
def test_order_of_points_changes_nothing(rows, level, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    fits = [fit_decreasing(x, y, w[None]) for x, y, w in map(columns, (rows, shuffled))]
    assert np.allclose(fits[0].fit, fits[1].fit, atol=1e-9)


@st.composite
def noise_free(draw):
    """Points (x, y) that fall strictly, and a level between the first and the last."""
    size = draw(st.integers(2, 12))
    steps, drops = (
        draw(st.lists(st.floats(0.05, 3), min_size=size, max_size=size)) for _ in range(2)
    )
    x, y = np.cumsum(steps), 30 - np.cumsum(drops)
    return x, y, y[0] + draw(st.floats(0.01, 0.99)) * (y[-1] - y[0])


@given(noise_free())
def test_noise_free_frontier_gives_the_analytic_crossing(frontier):
    x, y, level = frontier
    position, bound = fit_decreasing(x, y, np.ones((1, len(x)))).first_below(level)
    assert not bound[0]
    # np.interp needs increasing abscissae: the frontier read the other way round.
    assert position[0] == pytest.approx(np.interp(-level, -y, x), abs=1e-6)


@given(noise_free(), st.integers(0, 11), st.floats(0.001, 5), st.floats(0.001, 5))
def test_a_dominated_point_does_not_make_a_frontier_cheaper(frontier, index, costlier, worse):
    x, y, level = frontier
    before, _ = fit_decreasing(x, y, np.ones((1, len(x)))).first_below(level)
    index %= len(x)
    x, y = np.append(x, x[index] + costlier), np.append(y, y[index] + worse)
    after, _ = fit_decreasing(x, y, np.ones((1, len(x)))).first_below(level)
    assert after[0] >= before[0] - 1e-9


@given(points, values, values)
def test_a_stricter_level_costs_no_less(rows, one, other):
    x, y, w = columns(rows)
    fitted = fit_decreasing(x, y, w[None])
    strict, loose = (fitted.first_below(level)[0][0] for level in sorted((one, other)))
    assert strict >= loose


@given(points, values)
def test_the_crossing_lies_on_the_fit(rows, level):
    x, y, w = columns(rows)
    fitted = fit_decreasing(x, y, w[None])
    position, bound = fitted.first_below(level)
    if np.isinf(position[0]):
        assert np.all(fitted.fit > level)
    elif bound[0]:
        assert position[0] == fitted.x[0] and fitted.fit[0, 0] <= level + 1e-9
    else:
        assert fitted.at(position)[0] == pytest.approx(level, abs=1e-6)


def test_increasing_mirrors_decreasing():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    assert np.allclose(fit_increasing(x, y, np.ones((1, 3))).fit, [[1, 2.5, 2.5]])


def test_resamples_of_few_seeds_are_listed_of_many_depend_on_seeds_and_axes_alone():
    counts = resample_counts([3, 5, 9], "axes")
    assert counts.shape == (27, 3)
    assert np.all(counts.sum(axis=1) == 3)
    assert np.array_equal(counts.mean(axis=0), [1, 1, 1])
    seeds = list(range(8))
    assert np.array_equal(resample_counts(seeds, "a"), resample_counts(seeds, "a"))
    assert not np.array_equal(resample_counts(seeds, "a"), resample_counts(seeds, "b"))
    assert resample_counts(seeds, "a").shape == (1000, 8)


def test_interval_counts_undefined_resamples_against_us():
    defined = np.full(100, 2.0)
    assert percentile_interval(defined) == (2.0, 2.0)
    some = np.where(np.arange(100) < 10, np.nan, defined)
    assert percentile_interval(some) == (0.0, np.inf)


def curve(flops, margin, seed=None, tasks=("A",)):
    size = len(flops)
    filled = np.zeros(size)
    return Curve(
        tasks=tasks,
        seed=filled if seed is None else np.array(seed, dtype=np.float64),
        strength=np.arange(size, dtype=np.float64),
        margin=np.array(margin, dtype=np.float64),
        accuracy=0.9 - np.array(margin) / 100,
        flops=np.array(flops, dtype=np.float64),
        macs=filled,
        parameters=filled,
    )


@given(st.floats(0.2, 3.5))
def test_matched_flops_interpolate_in_log_flops(delta):
    fitted = FittedCurves([curve([1e5, 1e6, 1e7], [4, 2, 0])], [0])
    match = fitted.match(delta)
    assert match.status == OK
    assert match.flops[0] == pytest.approx(10 ** (7 - delta / 2))
    assert match.accuracy[0] == pytest.approx(0.9 - delta / 100)


def test_costs_of_independent_networks_add_up():
    a, b = curve([1e5, 1e7], [4, 0]), curve([2e5, 2e7], [4, 0], tasks=("B",))
    match = FittedCurves([a, b], [0]).match(2.0)
    assert match.flops[0] == pytest.approx(3e6)


@pytest.mark.parametrize(("delta", "status"), [(5, BOUND), (1, OK), (-1, NOT_REACHED)])
def test_status_of_a_match(delta, status):
    match = FittedCurves([curve([1e5, 1e7], [4, 0])], [0]).match(delta)
    assert match.status == status
    assert np.isfinite(match.flops[0]) == (status != NOT_REACHED)


@settings(max_examples=25)
@given(st.integers(2, 5), st.integers(0, 1000), st.floats(0.3, 3))
def test_equal_mergers_have_ratio_one_in_every_resample(n_seeds, random_seed, delta):
    random = np.random.default_rng(random_seed)
    seeds = np.repeat(np.arange(n_seeds), 6)
    flops = np.exp(random.normal(12, 1, len(seeds)))
    margin = 20 - np.log(flops) + random.normal(0, 0.5, len(seeds)) - 6
    order = random.permutation(len(seeds))
    one = FittedCurves([curve(flops, margin, seeds)], range(n_seeds)).match(delta)
    shuffled = curve(flops[order], margin[order], seeds[order])
    other = FittedCurves([shuffled], range(n_seeds)).match(delta)
    finite = np.isfinite(one.flops)
    assert np.array_equal(finite, np.isfinite(other.flops))
    assert np.all(one.flops[finite] / other.flops[finite] == 1.0)
