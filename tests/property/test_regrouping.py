"""The greedy regrouping against a reference that evaluates every candidate set anew."""

import math
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import pam
from pam.information import label_entropy, mutual_information
from pam.merging.regrouping import Search, group, irrelevant_order, regroup
from tests.examples import examples
from tests.reference.regrouping_reference import slow_irrelevant, slow_regroup

TASKS = "ABCD"


def draw_labels(rng, samples, n_labels):
    return np.where(rng.random((samples, n_labels)) < rng.uniform(0.2, 0.8), 1, -1)


@st.composite
def layers(draw, max_neurons=9):
    """Activations of a layer and the labels of two to four tasks.

    Neurons are noise, follow a label, are constant, or are an exact or mirrored copy of another.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples = draw(st.integers(2, 20))
    tasks = TASKS[: draw(st.integers(2, 4))]
    labels = {task: draw_labels(rng, samples, draw(st.integers(1, 3))) for task in tasks}
    neurons = draw(st.integers(1, max_neurons))
    scale = draw(st.sampled_from([0.01, 0.3, 1.0, 30.0]))
    x = rng.normal(size=(samples, neurons))
    for neuron in range(neurons):
        kind = draw(st.sampled_from(["noise", "label", "constant", "copy", "mirror"]))
        if kind == "label":
            x[:, neuron] += labels[tasks[neuron % len(tasks)]][:, 0]
        elif kind == "constant":
            x[:, neuron] = draw(st.sampled_from([0.0, 2.5]))
        elif kind != "noise":
            sign = 1 if kind == "copy" else -1
            x[:, neuron] = sign * x[:, rng.integers(neurons)]
    return x * scale, labels


def shares_of_ceiling(labels, share):
    return {task: share * label_entropy(y) for task, y in labels.items()}


@examples(120)
@given(
    layers(), st.sampled_from([0.0, 0.05, 0.3, 0.6, 0.9, 0.99, 1.0]), st.sampled_from([0.1, 1.0])
)
def test_lists_equal_the_reference(layer, share, variance):
    x, labels = layer
    thresholds = shares_of_ceiling(labels, share)
    grouping = regroup(x, labels, thresholds, variance)
    shared, exclusive, removed, irrelevant = slow_regroup(x, labels, thresholds, variance)
    assert grouping.irrelevant == irrelevant
    assert grouping.shared == shared
    assert grouping.exclusive == exclusive
    assert grouping.removed == removed


@examples(60)
@given(layers(max_neurons=12), st.sampled_from([0, 2000, 10**9]))
def test_whole_order_and_curve_equal_the_reference_at_any_memory(layer, memory):
    x, labels = layer
    search = irrelevant_order(x, labels["A"], memory=memory)
    order, curve, refused = slow_irrelevant(x, labels["A"], math.inf)
    assert search.order == order
    assert search.curve == pytest.approx(curve, abs=1e-8)
    assert search.stopped_at is None and refused is None
    assert search.saturation <= 1 + 1e-9


@examples(40)
@given(layers(), st.floats(0, 3))
def test_the_order_does_not_depend_on_the_threshold(layer, threshold):
    x, labels = layer
    grouping = regroup(x, labels, threshold)
    for task, y in labels.items():
        whole, search = irrelevant_order(x, y), grouping.trace[task]
        taken = len(search.steps)
        assert whole.steps[:taken] == search.steps
        assert whole.curve[taken : taken + 1] == [search.stopped_at][: len(whole.steps) - taken]


@examples(40)
@given(layers(), st.sampled_from([0.1, 0.5, 0.9]))
def test_trace_holds_the_joint_information(layer, share):
    x, labels = layer
    grouping = regroup(x, labels, shares_of_ceiling(labels, share))
    for task, y in labels.items():
        search = grouping.trace[task]
        for taken in range(1, len(search.steps) + 1):
            joint = mutual_information(x[:, search.order[:taken]], y)
            assert search.curve[taken - 1] == pytest.approx(joint, abs=1e-9)
            assert joint <= share * label_entropy(y) + 1e-9
        if search.stopped_at is not None:
            assert search.stopped_at > share * label_entropy(y)
            assert len(search.steps) < x.shape[1]
        assert grouping.saturation[task] <= 1 + 1e-9


@examples(60)
@given(layers(), st.floats(0, 2))
def test_every_neuron_is_in_exactly_one_group(layer, threshold):
    x, labels = layer
    grouping = regroup(x, labels, threshold)
    parts = [grouping.shared, grouping.removed, *grouping.exclusive.values()]
    assert sorted(chain.from_iterable(parts)) == list(range(x.shape[1]))
    users, partial = grouping.assignment(), grouping.assignment(partial=True)
    assert [n for n, tasks in enumerate(users) if tasks is None] == grouping.removed
    assert [n for n, tasks in enumerate(users) if tasks == set(labels)] == grouping.shared
    for task in labels:
        alone = [n for n, tasks in enumerate(users) if tasks == {task}]
        assert alone == grouping.exclusive[task]
        needing = [n for n, tasks in enumerate(partial) if tasks is not None and task in tasks]
        assert needing == sorted(set(range(x.shape[1])).difference(grouping.irrelevant[task]))
    if len(labels) == 2:
        assert partial == users


def two_tasks():
    """Four samples, one label each; neuron 0 is A, 1 is B, 2 is dead, 3 is A and B at once."""
    a, b = np.array([-1, -1, 1, 1]), np.array([-1, 1, -1, 1])
    x = np.stack([a, b, 0 * a, a + 3 * b], axis=1) * 10.0
    return x, {"A": a, "B": b}


def test_two_tasks_by_hand():
    x, labels = two_tasks()
    grouping = regroup(x, labels, 0.5)
    # Knowing only the other label is knowing nothing: a tie with the dead neuron.
    assert grouping.irrelevant == {"A": [1, 2], "B": [0, 2]}
    assert grouping.removed == [2]
    assert grouping.exclusive == {"A": [0], "B": [1]}
    assert grouping.shared == [3]
    assert grouping.trace["A"].curve == pytest.approx([0, 0], abs=1e-12)
    assert grouping.trace["A"].stopped_at == pytest.approx(math.log(2))
    assert grouping.saturation == pytest.approx({"A": 1, "B": 1})
    assert [search.ceiling for search in grouping.trace.values()] == pytest.approx(
        [math.log(2)] * 2
    )
    assert grouping.assignment() == [{"A"}, {"B"}, None, {"A", "B"}]


def test_thresholds_may_differ_between_tasks():
    x, labels = two_tasks()
    grouping = regroup(x, labels, {"A": 0.5, "B": 1.0})
    assert grouping.exclusive == {"A": [0, 3], "B": []}
    assert grouping.removed == [1, 2]


def test_neuron_irrelevant_to_some_of_three_tasks_is_shared():
    found = {"A": [0], "B": [1, 0], "C": [2, 0, 1]}
    trace = {t: Search(tuple((n, 0.0) for n in order), 1.0, 2.0) for t, order in found.items()}
    grouping = group(trace, 4)
    assert grouping.irrelevant == found
    assert grouping.removed == [0]
    assert grouping.exclusive == {"A": [1], "B": [], "C": []}
    assert grouping.shared == [2, 3]
    assert grouping.saturation == {"A": 0.5, "B": 0.5, "C": 0.5}


def test_ties_fall_to_the_lowest_index():
    rng = np.random.default_rng(3)
    one = rng.normal(size=(16, 1))
    labels = draw_labels(rng, 16, 2)
    assert irrelevant_order(np.repeat(one, 7, axis=1), labels).order == list(range(7))
    far = rng.normal(size=(16, 40)) * 1e3
    saturated = irrelevant_order(far, labels)
    assert saturated.order[3:] == sorted(saturated.order[3:])


@pytest.mark.parametrize("memory", [0, 24 * 24 * 8 * 5, 10**9])
def test_isolated_samples_drop_out_without_a_trace(memory):
    # Half the samples lie far apart, the other half close together: only the latter still count.
    rng = np.random.default_rng(5)
    x = rng.normal(size=(24, 14)) * 0.05
    x[:12] += np.arange(12)[:, None] * 30
    labels = draw_labels(rng, 24, 3)
    order, curve, _ = slow_irrelevant(x, labels, math.inf)
    search = irrelevant_order(x, labels, memory=memory)
    assert search.order == order
    assert search.curve == pytest.approx(curve, abs=1e-11)


@pytest.mark.parametrize("threshold", [-0.1, math.nan, "high", {"A": 1.0}, {"A": 1, "X": 1}])
def test_bad_thresholds_are_refused(threshold):
    x, labels = two_tasks()
    with pytest.raises(pam.ConfigError, match="threshold"):
        regroup(x, labels, threshold)


def test_one_task_is_refused():
    x, labels = two_tasks()
    with pytest.raises(pam.ConfigError, match="at least two tasks"):
        regroup(x, {"A": labels["A"]}, 0.5)


def test_bad_tensors_are_named():
    x, labels = two_tasks()
    with pytest.raises(pam.DataError, match="activations holds NaN"):
        regroup(torch.full((4, 2), math.nan), labels, 0.5)
    with pytest.raises(pam.ShapeError, match="labels of B has 3 rows for 4 samples"):
        regroup(x, {"A": labels["A"], "B": labels["B"][:3]}, 0.5)
    with pytest.raises(pam.DataError, match="labels of B must be"):
        regroup(x, {"A": labels["A"], "B": labels["B"] * 0}, 0.5)
    with pytest.raises(pam.ConfigError, match="noise_variance"):
        regroup(x, labels, 0.5, noise_variance=0)
