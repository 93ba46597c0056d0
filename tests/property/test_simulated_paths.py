"""The estimator against simulated truth: no bias, intervals that cover, nothing gained by more."""

from functools import cache

import numpy as np
import pytest

from pam.reporting.statistics.matched_cost import paired, read_costs
from tests.simulated_paths import Method

SEEDS, DELTA = 6, 1.0
FAST, SLOW = 60, 500
KINDS = [
    pytest.param(n_tasks, merged, simulations, marks=[pytest.mark.more] * (simulations == SLOW))
    for simulations in (FAST, SLOW)
    for n_tasks, merged in ((2, False), (2, True), (5, False), (5, True))
]


def study(method, random, seeds=SEEDS):
    """What is read of one experiment, and the errors of log costs (seeds, combinations)."""
    every = [method.seed(random, DELTA) for _ in range(seeds)]
    paths = {"merger": dict(enumerate(paths for paths, _ in every))}
    reading = read_costs(paths, method.combinations, DELTA, "mean").readings["merger"]
    assert not reading.bounds.any()
    return reading, np.log(reading.costs) - np.stack([true for _, true in every])


@cache
def pairs(n_tasks, merged, simulations):
    """Two studies of one method per simulation."""
    random, method = np.random.default_rng(n_tasks), Method(n_tasks, merged)
    return [(study(method, random), study(method, random)) for _ in range(simulations)]


@pytest.mark.parametrize(("n_tasks", "merged", "simulations"), KINDS)
def test_the_cost_has_less_than_three_percent_of_bias(n_tasks, merged, simulations):
    errors = [error for pair in pairs(n_tasks, merged, simulations) for _, error in pair]
    bias = np.mean(errors, axis=(0, 1))
    assert np.all(np.abs(bias) < 0.03), bias


@pytest.mark.parametrize(("n_tasks", "merged", "simulations"), KINDS)
def test_the_interval_of_two_equal_methods_covers_one(n_tasks, merged, simulations):
    ratios = [paired(one, other) for (one, _), (other, _) in pairs(n_tasks, merged, simulations)]
    share = np.mean([(ratio.low <= 1) & (ratio.high >= 1) for ratio in ratios], axis=0)
    assert np.all((share >= 0.9) & (share <= 0.99)), share
    # Of the 64 flips of six signs only two are as extreme: 0.031.
    assert np.all(np.mean([ratio.p <= 0.05 for ratio in ratios], axis=0) < 0.08)


@pytest.mark.parametrize("merged", [False, True])
def test_twice_as_many_networks_move_the_cost_nowhere(merged):
    random, bias = np.random.default_rng(20), {}
    for ratio in (0.85, 0.85**0.5):
        method = Method(2, merged, ratio, jump=0)
        bias[ratio] = np.mean([study(method, random)[1] for _ in range(FAST)], axis=(0, 1))
    assert np.all(np.abs(bias[0.85] - bias[0.85**0.5]) < 0.02), bias


@pytest.mark.parametrize("merged", [False, True])
def test_a_further_seed_moves_the_cost_nowhere(merged):
    random = np.random.default_rng(30)
    errors = np.stack([study(Method(2, merged), random, SEEDS + 1)[1] for _ in range(FAST)])
    moves = errors.mean(axis=1) - errors[:, :-1].mean(axis=1)
    standard_error = np.std(moves, axis=0) / np.sqrt(len(moves))
    assert np.all(np.abs(np.mean(moves, axis=0)) < 3 * standard_error)
