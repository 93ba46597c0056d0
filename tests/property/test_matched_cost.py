"""Cost at matched accuracy against a slow reference, and against what must hold for any input."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from pam import ConfigError, DataError
from pam.reporting.statistics import intervals
from pam.reporting.statistics.matched_cost import matched_cost, whole_frontier
from pam.reporting.statistics.pruning_path import fit_path
from tests.examples import examples
from tests.reference.matched_cost_reference import slow_cost

COMBINATIONS = ("A", "B", "A&B")


def rows_of(merging, seed, part, networks):
    return [
        {"merging": merging, "seed": seed, "part": part, "position": position}
        | {"task": task, "drop": drops[task]}
        | costs
        for position, (drops, costs) in enumerate(networks)
        for task in part.split("&")
    ]


numbers = st.integers(-2000, 6000).map(lambda value: value / 1000)
prices = st.integers(1, 40).map(lambda value: 100.0 * 1.1**value)


@st.composite
def networks(draw):
    """A path: drops of both tasks and costs that rise and fall as they like."""
    one = st.tuples(numbers, numbers, prices, st.floats(0.3, 1), st.floats(0.3, 1))
    return [
        ({"A": a, "B": b}, {"A": first * both, "B": second * both, "A&B": both})
        for a, b, both, first, second in draw(st.lists(one, min_size=1, max_size=8))
    ]


@examples(40)
@given(st.lists(networks(), min_size=1, max_size=3), numbers, st.sampled_from(["mean", "worst"]))
def test_a_merged_network_costs_what_the_slow_reference_says(seeds, delta, requirement):
    rows = [row for seed, path in enumerate(seeds) for row in rows_of("pam", seed, "A&B", path)]
    matched = matched_cost(pd.DataFrame(rows), delta, requirement)
    for combination in COMBINATIONS:
        slow = [slow_cost(path, ["A", "B"], combination, delta, requirement) for path in seeds]
        found = matched.costs.query("combination == @combination")
        assert list(found["seed"]) == list(range(len(seeds)))
        assert found["cost"].to_numpy() == pytest.approx(slow, rel=1e-6)
        logs = [math.log(cost) for cost in slow]
        assert matched.mean("pam", combination) == pytest.approx(
            math.exp(sum(logs) / len(logs)), rel=1e-6
        )


@examples(40)
@given(networks(), networks(), numbers)
def test_costs_of_parts_add_up_each_at_its_own_crossing(one, other, delta):
    rows = rows_of("none", 0, "A", one) + rows_of("none", 0, "B", other)
    costs = matched_cost(pd.DataFrame(rows), delta).costs.set_index("combination")["cost"]
    slow = [
        slow_cost(path, [task], task, delta, "mean") for path, task in ((one, "A"), (other, "B"))
    ]
    assert list(costs[["A", "B"]]) == pytest.approx(slow, rel=1e-6)
    assert costs["A&B"] == pytest.approx(sum(slow), rel=1e-6)


@examples(40)
@given(networks(), numbers, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(path, delta, random):
    rows = rows_of("pam", 0, "A&B", path)
    shuffled = random.sample(rows, len(rows))
    one, other = (matched_cost(pd.DataFrame(each), delta).costs for each in (rows, shuffled))
    assert one["cost"].to_numpy() == pytest.approx(other["cost"].to_numpy(), rel=1e-9)


def paths_crossing_at(merging, costs):
    """Per seed a path that loses one point at the given cost of A&B; a third of it is A's."""
    return [
        row
        for seed, cost in enumerate(costs)
        for row in rows_of(
            merging,
            seed,
            "A&B",
            [
                ({"A": drop, "B": drop}, {"A": both / 3, "B": both, "A&B": both})
                for drop, both in ((0.0, 2 * cost), (1.0, cost), (3.0, cost / 2))
            ],
        )
    ]


@examples(40)
@given(st.lists(st.tuples(prices, prices), min_size=1, max_size=7))
def test_ratios_are_paired_with_t_and_all_flips_of_signs(costs):
    points = [
        paths_crossing_at(name, side)
        for name, side in zip("xy", zip(*costs, strict=True), strict=True)
    ]
    ratio = matched_cost(pd.DataFrame(points[0] + points[1]), 1.0).ratio("x", "y", "A")
    logs = np.array([math.log(x / y) for x, y in costs])
    assert (ratio.n, ratio.crossed) == (len(costs), len(costs))
    assert ratio.estimate == pytest.approx(math.exp(logs.mean()), rel=1e-6)
    if len(costs) == 1:
        assert np.isnan([ratio.low, ratio.high, ratio.p]).all()
        return
    if len(costs) == 2:
        ends = (logs.min(), logs.max())
    elif np.ptp(logs) < 1e-9:
        ends = (logs[0], logs[0])
    else:
        ends = stats.ttest_1samp(logs, 0).confidence_interval(0.95)
    assert (ratio.low, ratio.high) == pytest.approx(tuple(np.exp(ends)), rel=1e-6)
    flips = [
        abs(sum(s * d for s, d in zip(signs, logs, strict=True)))
        for signs in product((1, -1), repeat=len(logs))
    ]
    assert ratio.p == pytest.approx(np.mean(np.array(flips) >= abs(logs.sum()) - 1e-9))


steps = st.lists(st.tuples(st.floats(0.05, 1), st.floats(0.1, 1)), min_size=2, max_size=8)


@examples(40)
@given(steps, steps, st.floats(0, 0.5))
def test_a_whole_frontier_is_the_integral_of_the_difference_of_logarithms(one, other, start):
    """Log costs are linear between networks, so that the integral is exact from kink to kink."""
    sides = [
        np.cumsum([(first, 15.0), *((up, -down) for up, down in path)], axis=0)
        for first, path in ((0.0, one), (start, other))
    ]
    low, high = max(side[0, 0] for side in sides), min(2.0, *(side[-1, 0] for side in sides))
    assume(high - low > 0.01)
    kinks = np.unique(np.clip(np.concatenate([side[:, 0] for side in sides]), low, high))
    logs = [np.interp(kinks, *side.T) for side in sides]
    areas = (
        np.diff(kinks) * (logs[0] - logs[1])[:-1] + np.diff(kinks) * np.diff(logs[0] - logs[1]) / 2
    )
    paths = [
        {
            0: [
                fit_path(
                    ["A"], {frozenset("A"): np.exp(costs)}, drops[None], np.ones((1, len(drops)))
                )
            ]
        }
        for drops, costs in (side.T for side in sides)
    ]
    ratio = whole_frontier(*paths, ["A"], np.ones((1, 1)), "mean", 2.0)
    assert np.log(ratio.estimate) == pytest.approx(areas.sum() / (high - low), abs=1e-3)


def test_a_seed_that_never_crosses_is_infinite_and_leaves_no_ratio():
    points = pd.DataFrame(paths_crossing_at("x", [1e6, 2e6]) + paths_crossing_at("y", [1e6, 1e6]))
    points.loc[(points["merging"] == "x") & (points["seed"] == 1), "drop"] += 5
    matched = matched_cost(points, 1.0)
    assert matched.mean("x", "A&B") == math.inf
    ratio = matched.ratio("x", "y", "A&B")
    assert (ratio.n, ratio.crossed) == (2, 1) and math.isnan(ratio.estimate)


def test_the_smallest_p_of_five_and_six_seeds():
    for n, smallest in ((5, 0.0625), (6, 0.03125)):
        assert intervals.sign_flip_p(np.ones((n, 1)) + np.arange(n)[:, None]) == smallest


def test_points_that_do_not_fit_are_refused():
    points = pd.DataFrame(paths_crossing_at("x", [1e6]))
    with pytest.raises(DataError, match=r"lack the columns \[drop\]"):
        matched_cost(points.drop(columns="drop"), 1.0)
    with pytest.raises(DataError, match="no column of the cost of all tasks of x, seed 0"):
        matched_cost(points.drop(columns="A&B"), 1.0)
    with pytest.raises(DataError, match="no positive number"):
        matched_cost(points.assign(A=0.0), 1.0)
    with pytest.raises(DataError, match="lack a task"):
        matched_cost(points[points["task"] == "A"], 1.0)
    with pytest.raises(DataError, match="lack a part, or have a task in two, of x, seed 0"):
        alone = points[points["task"] == "A"].assign(part="A", merging="y")
        matched_cost(pd.concat([points, points.assign(part="A")[points["task"] == "A"]]), 1.0)
    with pytest.raises(DataError, match="lack a part, or have a task in two, of y, seed 0"):
        matched_cost(pd.concat([points, alone]), 1.0)
    with pytest.raises(ConfigError, match="did you mean 'worst'"):
        matched_cost(points, 1.0, "worts")
    with pytest.raises(ConfigError, match="unknown merging 'z'"):
        matched_cost(points, 1.0).mean("z", "A")


@examples(40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p):
    """A hypothesis falls if every set of hypotheses that contains it falls by Bonferroni."""
    p = np.array(p)
    sets = [np.array(chosen) for chosen in product((False, True), repeat=len(p)) if any(chosen)]
    closed = [
        max(min(1.0, one.sum() * p[one].min()) for one in sets if one[i]) for i in range(len(p))
    ]
    assert intervals.holm(p) == pytest.approx(closed)
