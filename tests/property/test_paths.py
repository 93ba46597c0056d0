"""Paths: which networks are taken, where a path ends, and that each part goes its own way."""

import copy
from itertools import count, islice, pairwise
from math import inf

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.cost import paper_flops
from pam.merging import merge
from pam.pruning import PRUNERS, CostPath, Ladder, Pruned, connected, prune_progressively, remove
from pam.pruning.registry import curve_rows
from pam.pruning.units import unit_keys
from pam.seeds import derive_seed
from pam.training import Epoch
from tests.examples import examples
from tests.small import SHORT, STILL, make_data, make_network, make_networks, own_part, same_bits

DATA = make_data(32, tasks="ABC")
WIDE = (8, 10, 16, 12)
PENALTY_EPOCHS = 2


def cost(network):
    return paper_flops(network, list(network.tasks))


@pytest.fixture(scope="module", autouse=True)
def erratic():
    """A pruner that removes a random share of the units at every strength, often none."""

    def prune(network, data, strengths, *, seed, removes=(0.0, 0.3)):
        current = copy.deepcopy(network)
        tasks = "".join(network.tasks)
        for strength in strengths:
            draw = torch.Generator().manual_seed(derive_seed(tasks, seed, str(strength)))
            share = removes[int(torch.randint(len(removes), (), generator=draw))]
            scores = {key: torch.rand(units, generator=draw) for key, units in unit_keys(current)}
            keep = {key: score >= share for key, score in scores.items()}
            current = remove(current, connected(current, keep, scores))
            accuracies = dict.fromkeys(network.tasks, 0.5)
            epochs = [Epoch(0, n, 0.1, 1.0, accuracies) for n in range(PENALTY_EPOCHS)]
            yield Pruned(strength, current, curve_rows(epochs, "prune"))

    PRUNERS.register("erratic", ladder="growth")(prune)
    yield
    for entries in (PRUNERS._entries, PRUNERS._descriptions, PRUNERS._forecasts):
        del entries["erratic"]


def path(**settings):
    known = {"strengths": Ladder("growth", 1.0, 1.25), "cost": cost, "stop_drop": inf}
    return CostPath(**{**known, "baseline": dict.fromkeys("ABC", 1.0), **settings})


def walk(network, seed=0, fine_tune=STILL, removes=(0.0, 0.3), **settings):
    return list(
        prune_progressively(
            network, "erratic", DATA, path(**settings), seed=seed, fine_tune=fine_tune,
            removes=list(removes),
        )
    )  # fmt: skip


removed = st.lists(st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.7]), min_size=1, max_size=4)


@examples(8)
@given(ratio=st.sampled_from([0.5, 0.85, 0.97]), removes=removed, seed=st.integers(0, 99))
def test_networks_are_taken_at_equal_ratios_of_cost(ratio, removes, seed):
    network = make_network("A", widths=WIDE)
    taken = walk(network, seed, removes=removes, cost_ratio=ratio)
    costs = [cost(network), *(cost(one.network) for one in taken)]
    # The last one ends the path, whatever it costs.
    assert all(after <= ratio * before for before, after in pairwise(costs[:-1]))
    assert costs[-1] <= costs[-2]
    ladder = list(islice(Ladder("growth", 1.0, 1.25), 200))
    strengths = [one.strength for one in taken]
    assert strengths == sorted(set(strengths)) and set(strengths) <= set(ladder)
    # None was passed over that had to be taken: the same strengths one by one.
    every = list(prune_progressively(network, "erratic", DATA, ladder[: ladder.index(strengths[-1])
                 + 1], seed=seed, fine_tune=STILL, removes=list(removes)))  # fmt: skip
    wanted, least = [], costs[0]
    for one in every:
        if cost(one.network) <= ratio * least or one is every[-1]:
            wanted.append(one)
            least = cost(one.network)
    assert strengths == [one.strength for one in wanted]
    assert all(same_bits(a.network, b.network) for a, b in zip(taken, wanted, strict=True))


@examples(15)
@given(noise=st.lists(st.floats(-2, 2), min_size=60, max_size=60), stop=st.sampled_from([1.0, 4.0]))
def test_a_path_ends_after_two_drops_beyond_the_last_of_interest(noise, stop):
    """Drops that grow as the cost falls, read with errors."""
    network, number = make_network("A", widths=WIDE), count()
    full, read = cost(network), []

    def accuracies(network, data, part):
        drop = max(0.0, 10 * (0.8 - cost(network) / full)) + noise[next(number)]
        read.append(drop)
        return {"A": 0.9 - drop / 100}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pam.pruning.progressive.task_accuracies", accuracies)
        walk(network, removes=(0.05, 0.1), stop_drop=stop, baseline={"A": 0.9}, cost_ratio=0.95)
    beyond = [drop > stop + 1e-9 for drop in read]
    assert beyond[-2:] == [True, True]
    assert not any(a and b for a, b in pairwise(beyond[:-1]))


def test_each_part_goes_its_own_way():
    networks = make_networks("ABC", widths=WIDE)
    whole = walk(merge(networks, "none", DATA), fine_tune=SHORT, most=6)
    alone = {task: walk(network, fine_tune=SHORT, most=6) for task, network in networks.items()}
    assert len({tuple(one.strength for one in results) for results in alone.values()}) == 3
    assert [one.strength for one in whole] == sorted(
        {one.strength for results in alone.values() for one in results}
    )
    for one in whole:
        for task, results in alone.items():
            before = [other for other in results if other.strength <= one.strength]
            last = before[-1].network if before else networks[task]
            assert same_bits(own_part(one.network, task), own_part(last, task))


def test_only_networks_that_are_taken_are_fine_tuned_and_no_epoch_is_lost():
    taken = walk(make_network("A", widths=WIDE), fine_tune=SHORT, removes=(0.0, 0.0, 0.1), most=5)
    ladder = list(islice(Ladder("growth", 1.0, 1.25), 200))
    asked = ladder.index(taken[-1].strength) + 1
    phases = [row["phase"] for one in taken for row in one.curve]
    assert len(taken) == 5 < asked
    assert phases.count("prune") == PENALTY_EPOCHS * asked
    epochs = sum(stage["epochs"] for stage in SHORT["stages"])
    assert phases.count("fine_tune") == epochs * len(taken)
    assert phases[-epochs:] == ["fine_tune"] * epochs


def test_where_nothing_is_left_to_remove_a_path_ends():
    network = make_network("A", widths=WIDE)
    (last,) = walk(network, removes=[0.0])
    assert last.strength == list(islice(Ladder("growth", 1.0, 1.25), 40))[-1]
    assert same_bits(last.network, network)
    taken = walk(network, removes=[0.9])
    assert all(units == 1 for _, units in unit_keys(taken[-1].network))


@examples(30)
@given(start=st.floats(0.01, 0.9), step=st.floats(0.3, 0.999), growth=st.floats(1.001, 3))
def test_ladders_rise(start, step, growth):
    remaining = list(islice(Ladder("remaining", start, step), 300))
    assert all(0 < a < b < 1 for a, b in pairwise(remaining))
    left = [1 - strength for strength in remaining[:20]]
    assert all(b == pytest.approx(step * a, abs=2e-6) for a, b in pairwise(left))
    rising = list(islice(Ladder("growth", start, growth), 50))
    assert all(b / a == pytest.approx(growth, rel=2e-5) for a, b in pairwise(rising))
