"""Surgery keeps what it should: outputs, weights, and the order of units."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pam.errors import CollapseError, ShapeError
from pam.networks import Assembly, build
from tests.random_networks import (
    LAYERS,
    PHASES,
    all_groups,
    assemblies,
    assert_same_bits,
    chains_and_residual,
    images_for,
    networks,
    scores_side_by_side,
)

few = settings(max_examples=30)
deep = settings(max_examples=30, phases=PHASES)


def assert_same_scores(left, right):
    images = images_for(left)
    ours, theirs = (scores_side_by_side(one.network().eval(), images) for one in (left, right))
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0)


def assert_same_tensors(ours, theirs):
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


@deep
@given(networks(made=chains_and_residual()))
def test_laying_out_and_building_is_the_identity(network):
    assert_same_bits(Assembly.of(network).network(), network)


@few
@given(assemblies())
def test_building_and_laying_out_only_sorts_the_units(assembly):
    network = assembly.network()
    again = Assembly.of(network)
    for layer, groups in again.groups.items():
        assert sorted(map(sorted, groups)) == sorted(map(sorted, assembly.groups[layer]))
    for name, weight in again.weights.items():
        assert sorted(weight.flatten().tolist()) == sorted(
            assembly.weights[name].flatten().tolist()
        )


@few
@given(st.integers(2, 4), st.integers(0, 1000), st.data())
def test_united_networks_keep_their_outputs_bit_for_bit(n_tasks, seed, data):
    widths = data.draw(st.lists(st.integers(1, 5), min_size=4, max_size=4))
    singles = [
        build("lenet5", (1, 9, 12), 1 + i, task=task, seed=seed + i, widths=tuple(widths))
        for i, task in enumerate("ABCD"[:n_tasks])
    ]
    united = Assembly.unite([Assembly.of(single) for single in singles]).network()
    images = images_for(united)
    scores = united(images)
    for single in singles:
        assert torch.equal(scores[single.task], single(images)[single.task])
    assert sum(p.numel() for p in united.parameters()) == sum(
        p.numel() for single in singles for p in single.parameters()
    )


@deep
@given(assemblies(made=chains_and_residual()), st.randoms(use_true_random=False))
def test_the_order_of_units_changes_no_output(assembly, random):
    shuffled = assembly
    for layer in assembly.architecture.hidden_layers:
        order = list(range(len(assembly.groups[layer])))
        random.shuffle(order)
        shuffled = shuffled.take(layer, order)
    assert_same_scores(assembly, shuffled)


@deep
@given(assemblies(made=chains_and_residual()), st.data())
def test_assign_drops_the_forbidden_weights_and_no_other(assembly, data):
    layer = data.draw(st.sampled_from(assembly.architecture.hidden_layers))
    random = data.draw(st.randoms(use_true_random=False))
    choices = all_groups(list(assembly.tasks))
    groups = [random.choice(choices) for _ in assembly.groups[layer]]
    moved = assembly.assign(layer, groups)
    assert moved.groups == {**assembly.groups, layer: groups}
    for node in assembly.architecture.weighted.values():
        readers, sources = moved.groups[node.layer], moved.source_groups(node)
        for row, reader in enumerate(readers):
            for column, source in enumerate(sources):
                kept = assembly.weights[node.name][row, column]
                expected = kept if reader <= source else torch.zeros_like(kept)
                assert torch.equal(moved.weights[node.name][row, column], expected)
    assert_same_tensors(moved.biases, assembly.biases)
    assert_same_tensors(moved.norms, assembly.norms)


@deep
@given(assemblies(made=chains_and_residual()))
def test_units_that_serve_nothing_can_go(assembly):
    lean = assembly.without_dead_units()
    assert_same_scores(assembly, lean)
    assert lean.without_dead_units().groups == lean.groups
    # Without the units of any one group something is missing: none of those left is dead.
    for layer in assembly.architecture.hidden_layers:
        readers = {
            group
            for node in lean.nodes_reading(layer)
            if node.layer != layer
            for group in lean.groups[node.layer]
        }
        assert all(any(u <= v for u in readers) for v in lean.groups[layer])


def renamed(assembly, names):
    """The same network for tasks of other names."""
    groups = {
        layer: [frozenset(names[task] for task in group) for group in units]
        for layer, units in assembly.groups.items()
    }
    tasks = {names[task]: count for task, count in assembly.tasks.items()}
    return replace(assembly, tasks=tasks, groups=groups)


@deep
@given(assemblies(largest=3, made=chains_and_residual()), st.booleans())
def test_united_networks_can_be_taken_apart(assembly, first):
    other = renamed(assembly, {"A": "D", "B": "E", "C": "F"})
    united = Assembly.unite([assembly, other])
    images = images_for(assembly)
    with torch.no_grad():
        alone, together = assembly.network().eval()(images), united.network().eval()(images)
    for task, mirrored in zip(assembly.tasks, other.tasks, strict=True):
        torch.testing.assert_close(together[task], alone[task], atol=1e-5, rtol=0)
        torch.testing.assert_close(together[mirrored], alone[task], atol=1e-5, rtol=0)
    part = assembly if first else other
    again = united.restrict(part.tasks)
    assert (again.tasks, again.groups) == (part.tasks, part.groups)
    for kind in ("weights", "biases", "norms"):
        assert_same_tensors(getattr(again, kind), getattr(part, kind))


@few
@given(assemblies(largest=3), st.sampled_from(LAYERS))
def test_a_group_without_inputs_is_a_collapse(assembly, layer):
    with pytest.raises(CollapseError, match=f"nothing to read in layer '{layer}'"):
        assembly.take(layer, []).network()


def test_tasks_that_share_units_are_not_taken_apart():
    singles = [build("lenet5", (1, 8, 8), 2, task=t, seed=i) for i, t in enumerate("ABC")]
    united = Assembly.unite([Assembly.of(single) for single in singles])
    assert list(united.restrict("CB").tasks) == ["B", "C"]
    shared = united.assign("f4", [frozenset("AB")] * len(united.groups["f4"]))
    with pytest.raises(ShapeError, match="share units of 'f4'"):
        shared.restrict("A")


def test_networks_that_do_not_fit_are_not_united():
    one = Assembly.of(build("lenet5", (1, 8, 8), 2, task="A"))
    with pytest.raises(ShapeError, match="task 'A' occurs in two"):
        Assembly.unite([one, one])
    other = Assembly.of(build("lenet5", (1, 8, 12), 2, task="B"))
    with pytest.raises(ShapeError, match="cannot put together"):
        Assembly.unite([one, other])
    with pytest.raises(ShapeError, match="3 groups for the 6 units of 'c1'"):
        one.assign("c1", [frozenset("A")] * 3)
