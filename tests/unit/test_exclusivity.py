"""Scenario 1: the order in which shared units go, and the accuracies without them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.analysis.conditions import (
    exclusivity,
    exclusivity_rows,
    removal_order,
    remove_one_by_one,
    unit_information,
    unknown_exclusivity_rows,
)
from pam.information import label_entropy, mutual_information
from pam.merging.activations import collect, draw_sample, standardised, units_of
from pam.pruning.units import remove, unit_keys
from pam.training import task_accuracies
from tests.examples import examples
from tests.small import LAYERS, make_data, make_networks, share_some, side_by_side

DATA = make_data(64, tasks="ABC")
NETWORK = share_some(make_networks("ABC", widths=(4, 6, 12, 10)))
SHARED = frozenset("ABC")

KNOWN = st.integers(0, 6).map(lambda sixth: sixth / 6)
LABELS = st.lists(st.sampled_from([-1, 1]), min_size=8, max_size=8)


@examples(60)
@given(
    information=st.integers(1, 20).flatmap(
        lambda n: st.lists(st.lists(KNOWN, min_size=n, max_size=n), min_size=1, max_size=3)
    ),
    labels=st.lists(LABELS, min_size=3, max_size=3),
)
def test_the_order_against_a_slow_reference(information, labels):
    tasks = "ABC"[: len(information)]
    known = {
        t: torch.tensor(i, dtype=torch.float64) for t, i in zip(tasks, information, strict=True)
    }
    y = {task: torch.tensor(labels[i])[:, None] for i, task in enumerate(tasks)}
    for task in tasks:
        scores = []
        for unit in range(len(information[0])):
            share = {
                other: float(known[other][unit]) / max(label_entropy(y[other]), 1e-12)
                for other in tasks
            }
            others = [share[other] for other in tasks if other != task]
            scores.append(share[task] - (max(others) if others else 0.0))
        slow = sorted(range(len(scores)), key=lambda unit: (-scores[unit], unit))
        order = removal_order(exclusivity(known, y, task))
        assert order == slow[: min(12, len(scores) - 1)]


@pytest.mark.parametrize(("units", "steps"), [(1, 0), (2, 1), (12, 11), (13, 12), (40, 12)])
def test_one_unit_stays_and_no_more_than_twelve_go(units, steps):
    assert removal_order(torch.zeros(units, dtype=torch.float64)) == list(range(steps))


def test_information_of_a_unit_is_the_estimate_of_its_standardised_output():
    sample = draw_sample(DATA, 48, seed=5)
    activations = collect(NETWORK, sample.images, ["f4"])["f4"]
    found = unit_information(activations, sample.labels)
    values = standardised(activations)
    for task, y in sample.labels.items():
        for unit in (0, 7, 14):
            expected = mutual_information(values[:, unit], y, 0.1)
            assert float(found[task][unit]) == pytest.approx(expected, abs=1e-9)


def test_a_sample_is_all_of_a_small_training_part():
    assert len(draw_sample(DATA, 512, seed=0).images) == 64
    one, other = (draw_sample(DATA, 16, seed=7) for _ in range(2))
    assert torch.equal(one.images, other.images)
    assert list(one.labels) == ["A", "B", "C"]


@pytest.mark.parametrize("layer", LAYERS)
def test_units_of_a_group_are_columns_of_the_activations(layer):
    names = []
    for group, units in NETWORK.widths[layer].items():
        names += [group] * units
    for group in (*map(frozenset, "ABC"), SHARED):
        columns = units_of(NETWORK, layer, group)
        assert [names[unit] for unit in columns] == [group] * names.count(group)
    assert list(units_of(NETWORK, layer, {"A", "B"})) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_gated_accuracies_are_those_of_the_network_without_the_units(layer):
    shared = NETWORK.widths[layer][SHARED]
    order = list(range(shared))[::-2][: shared - 1]
    steps = list(remove_one_by_one(NETWORK, DATA, layer, order))
    assert len(steps) == len(order) + 1
    assert steps[0].validation == task_accuracies(NETWORK, DATA, DATA.validation)
    assert steps[0].test == task_accuracies(NETWORK, DATA, DATA.test)
    keep = {key: torch.ones(units, dtype=torch.bool) for key, units in unit_keys(NETWORK)}
    for unit, step in zip(order, steps[1:], strict=True):
        keep[layer, SHARED][unit] = False
        smaller = remove(NETWORK, keep)
        assert step.validation == task_accuracies(smaller, DATA, DATA.validation)
        assert step.test == task_accuracies(smaller, DATA, DATA.test)


def test_rows_of_a_layer():
    sample = draw_sample(DATA, 64, seed=1)
    before = {name: tensor.clone() for name, tensor in NETWORK.state_dict().items()}
    activations = collect(NETWORK, sample.images, ["f3"])["f3"]
    rows = exclusivity_rows(NETWORK, DATA, "f3", activations, sample.labels)
    shared = units_of(NETWORK, "f3", SHARED)
    steps = min(12, len(shared) - 1)
    assert [(r["exclusive_to"], r["step"], r["task"]) for r in rows] == [
        (exclusive_to, step, task)
        for exclusive_to in "ABC"
        for step in range(steps + 1)
        for task in "ABC"
    ]
    information = unit_information(activations, sample.labels)
    intact = task_accuracies(NETWORK, DATA, DATA.test)
    for row in rows:
        if row["step"] == 0:
            assert (row["neuron"], row["information_nats"]) == (None, None)
            assert row["accuracy"] == intact[row["task"]]
        else:
            assert row["neuron"] in shared
            known = float(information[row["task"]][row["neuron"]])
            assert row["information_nats"] == pytest.approx(known, abs=1e-12)
    assert all(torch.equal(before[name], t) for name, t in NETWORK.state_dict().items())


def test_the_most_exclusive_unit_goes_first():
    sample = draw_sample(DATA, 64, seed=1)
    shared = units_of(NETWORK, "f4", SHARED)
    activations = collect(NETWORK, sample.images, ["f4"])["f4"].clone()
    # A unit that is the label of task B, which the other tasks' labels are independent of.
    activations[:, shared[3]] = sample.labels["B"][:, 0].float() + 1
    rows = exclusivity_rows(NETWORK, DATA, "f4", activations, sample.labels)
    first = {r["exclusive_to"]: r["neuron"] for r in rows if r["step"] == 1}
    assert first["B"] == shared[3]
    assert first["A"] != shared[3]


def test_a_layer_without_shared_units_has_no_rows():
    apart = side_by_side(make_networks("AB"))
    sample = draw_sample(make_data(32), 32, seed=0)
    activations = collect(apart, sample.images, ["f4"])["f4"]
    assert exclusivity_rows(apart, make_data(32), "f4", activations, sample.labels) == []


def test_rows_of_a_network_that_is_not_there():
    rows = unknown_exclusivity_rows("AB", "f4")
    assert len(rows) == 4
    assert {row["step"] for row in rows} == {0}
    assert {row["accuracy"] for row in rows} == {None}
