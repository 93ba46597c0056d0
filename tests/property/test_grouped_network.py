"""Grouped networks in random groups: against dense references, cut into sub-networks, laid out."""

from dataclasses import replace
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.cost import analytic_macs, macs, parameters
from pam.cost.counting import macs_of_parts
from pam.networks import ARCHITECTURES, Assembly, GroupedNetwork
from pam.networks.subnetwork import view
from pam.networks.wiring import executed
from tests.examples import examples
from tests.random_networks import (
    PHASES,
    architectures_named,
    assemblies,
    assert_same_bits,
    chains_and_residual,
    images_for,
    networks,
    networks_in_full_use,
    scores_side_by_side,
    tensors_of,
)
from tests.reference.dense_network import dense_lenet_scores
from tests.reference.dense_resnet import dense_resnet_scores
from tests.reference.dense_vgg import dense_vgg_scores

few = examples(4, phases=PHASES)
some = examples(20, phases=PHASES)
many = examples(40, phases=PHASES)
# A ResNet-34 is but deeper than a ResNet-18.
every_architecture = pytest.mark.parametrize("name", sorted({*ARCHITECTURES} - {"resnet34"}))
REFERENCES = {
    "lenet5": dense_lenet_scores,
    "vgg16": dense_vgg_scores,
    "resnet18": dense_resnet_scores,
    "resnet34": dense_resnet_scores,
}


def doubled(assembly):
    """The same weights in float64."""
    kinds = {
        kind: {name: tensor.double() for name, tensor in getattr(assembly, kind).items()}
        for kind in ("weights", "biases", "norms")
    }
    return replace(assembly, **kinds)


def assert_equals_dense(assembly):
    network = assembly.network().eval()
    images = images_for(network)
    expected = REFERENCES[network.architecture.name](doubled(assembly), images.double())
    assert expected.std() > 0
    torch.testing.assert_close(scores_side_by_side(network, images), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", sorted(REFERENCES))
@few
@given(data=st.data())
def test_the_wiring_rule_equals_dense_layers_with_forbidden_weights_zero(name, data):
    assert_equals_dense(data.draw(assemblies(made=architectures_named(name))))


@examples(60)
@given(assemblies())
def test_the_wiring_rule_holds_in_many_chains(assembly):
    assert_equals_dense(assembly)


@every_architecture
@few
@given(data=st.data())
def test_a_subnetwork_computes_costs_and_holds_what_it_should(name, data):
    network = data.draw(networks(made=architectures_named(name)))
    images = images_for(network)
    running = data.draw(st.sampled_from(network.combinations()))
    part = network.subnetwork(running)
    with torch.no_grad():
        whole, scores = network(images), part(images)
    assert list(scores) == list(running)
    for task, score in scores.items():
        torch.testing.assert_close(score, whole[task], atol=1e-5, rtol=0)
    shape, whole_part = network.architecture.input_shape, network.subnetwork(list(network.tasks))
    counted = macs(part, shape)
    assert macs_of_parts(whole_part, [part], shape) == [counted]
    assert counted == analytic_macs(network, running)
    assert sum(p.numel() for p in part.parameters()) == parameters(network, running)


@every_architecture
@few
@given(data=st.data())
def test_where_every_layer_has_the_same_groups_the_groups_of_a_combination_are_held(name, data):
    network = data.draw(networks_in_full_use(made=architectures_named(name)))
    running = data.draw(st.sampled_from(network.combinations()))
    architecture = network.architecture
    expected = sorted(
        tuple(parameter.shape)
        for node in (*architecture.weighted, *architecture.norms)
        for group in network.widths[architecture.signals[node].layer]
        if group & set(running)
        for parameter in network.blocks[node][network.group_name(group)].parameters()
    )
    part = network.subnetwork(running)
    assert sorted(tuple(p.shape) for p in part.parameters()) == expected
    assert macs(part, architecture.input_shape) == analytic_macs(network, running)


@some
@given(networks())
def test_every_subnetwork_holds_only_what_its_outputs_depend_on(network):
    for combination in network.combinations():
        part = network.subnetwork(combination)
        held = sorted(tuple(p.shape) for p in part.parameters())
        needed = executed(network.architecture, network.widths, combination)
        assert all(group & set(combination) for groups in needed.values() for group in groups)
        expected = sorted(
            tuple(parameter.shape)
            for node in network.architecture.weighted.values()
            for group in needed[node.name]
            for parameter in network.blocks[node.name][network.group_name(group)].parameters()
        )
        assert held == expected


@some
@given(networks(largest=3))
def test_a_subnetwork_is_plain_and_its_own(network):
    images = images_for(network)
    subnetwork = network.subnetwork(list(network.tasks))
    kinds = {type(m).__module__.split(".")[0] for m in subnetwork.modules()}
    assert kinds == {"torch"}
    before = {task: score.clone() for task, score in subnetwork(images).items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    after = subnetwork(images)
    assert all(torch.equal(before[task], after[task]) for task in before)


@some
@given(networks(largest=3), st.data())
def test_a_view_runs_what_the_subnetwork_runs_with_the_weights_of_the_network(network, data):
    network.eval()
    images = images_for(network)
    combination = data.draw(st.sampled_from(network.combinations()))
    own, seen = network.subnetwork(combination), view(network, combination)
    assert str(own.graph) == str(seen.graph)
    assert all(torch.equal(scores, seen(images)[task]) for task, scores in own(images).items())
    whole = dict(network.named_parameters())
    held = dict(seen.named_parameters())
    assert list(held) == list(dict(own.named_parameters()))
    assert all(parameter is whole[name] for name, parameter in held.items())


@many
@given(networks(made=chains_and_residual()), st.data())
def test_other_tasks_do_not_change_a_tasks_scores(network, data):
    images = images_for(network)
    running = data.draw(st.sampled_from(network.combinations()))
    with torch.no_grad():
        whole, part = network(images), network(images, tasks=running)
    assert list(part) == list(running)
    assert all(torch.equal(part[task], whole[task]) for task in running)


def gates_seen(network):
    """The layer, group and shape of every call of a gate that changes nothing."""
    seen = []

    def gate(layer, group, x):
        seen.append((layer, group, tuple(x.shape[1:])))
        return x

    images = images_for(network)
    with torch.no_grad():
        gated, plain = network(images, gate=gate), network(images)
    assert all(torch.equal(gated[task], plain[task]) for task in plain)
    return seen


@some
@given(networks())
def test_the_gate_sees_every_hidden_group_once_before_pooling(network):
    _, height, width = network.architecture.input_shape
    maps = {"c1": (height, width), "c2": (height // 2, width // 2), "f3": (), "f4": ()}
    assert gates_seen(network) == [
        (layer, group, (units, *maps[layer]))
        for layer in network.hidden_layers
        for group, units in network.widths[layer].items()
    ]


@few
@given(networks(made=architectures_named("resnet18")))
def test_a_gate_stands_behind_every_normalisation(network):
    architecture = network.architecture
    assert gates_seen(network) == [
        (signal.layer, group, (units, signal.height, signal.width))
        for signal in (architecture.signals[name] for name in architecture.norms)
        for group, units in network.widths[signal.layer].items()
    ]


@many
@given(networks(made=chains_and_residual()))
def test_laying_out_and_building_is_the_identity(network):
    assert_same_bits(Assembly.of(network).network(), network)


@few
@given(networks(made=architectures_named("resnet18")), st.integers(0, 100))
def test_running_statistics_of_a_training_step_survive_laying_out(network, seed):
    before = tensors_of(network)
    before = {name: before[name].clone() for name in before if "running" in name}
    with torch.no_grad():
        network.train()(images_for(network, 4, seed))
    after = tensors_of(network)
    assert any(not torch.equal(after[name], tensor) for name, tensor in before.items())
    assert_same_bits(Assembly.of(network).network(), network)


@some
@given(networks(largest=3, made=chains_and_residual()))
def test_save_and_load_give_the_same_network(network):
    with TemporaryDirectory() as folder:
        network.save(f"{folder}/n.safetensors", {"seed": 3})
        loaded = GroupedNetwork.load(f"{folder}/n.safetensors")
    assert loaded.tasks == network.tasks
    assert loaded.architecture == network.architecture
    assert_same_bits(loaded, network)


@many
@given(assemblies(made=chains_and_residual()), st.randoms(use_true_random=False))
def test_the_order_of_units_changes_no_output(assembly, random):
    shuffled = assembly
    for layer in assembly.architecture.hidden_layers:
        order = list(range(len(assembly.groups[layer])))
        random.shuffle(order)
        shuffled = shuffled.take(layer, order)
    images = images_for(assembly)
    left, right = (scores_side_by_side(a.network().eval(), images) for a in (assembly, shuffled))
    torch.testing.assert_close(left, right, atol=1e-9, rtol=0)


@many
@given(assemblies(made=chains_and_residual()), st.data())
def test_assign_drops_the_forbidden_weights_and_no_other(assembly, data):
    layer = data.draw(st.sampled_from(assembly.architecture.hidden_layers))
    random = data.draw(st.randoms(use_true_random=False))
    choices = sorted({g for groups in assembly.groups.values() for g in groups}, key=sorted)
    groups = [random.choice(choices) for _ in assembly.groups[layer]]
    moved = assembly.regroup({layer: groups})
    assert moved.groups == {**assembly.groups, layer: groups}
    for node in assembly.architecture.weighted.values():
        readers, sources = moved.groups[node.layer], moved.source_groups(node)
        for row, reader in enumerate(readers):
            for column, source in enumerate(sources):
                kept = assembly.weights[node.name][row, column]
                expected = kept if reader <= source else torch.zeros_like(kept)
                assert torch.equal(moved.weights[node.name][row, column], expected)
    for name, vectors in assembly.norms.items():
        assert torch.equal(moved.norms[name], vectors)


def renamed(assembly, names):
    """The same network for tasks of other names."""
    groups = {
        layer: [frozenset(names[task] for task in group) for group in units]
        for layer, units in assembly.groups.items()
    }
    tasks = {names[task]: count for task, count in assembly.tasks.items()}
    return replace(assembly, tasks=tasks, groups=groups)


@many
@given(assemblies(largest=3, made=chains_and_residual()), st.booleans())
def test_united_networks_keep_their_outputs_and_can_be_taken_apart(assembly, first):
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
    for ours, theirs in ((again.weights, part.weights), (again.biases, part.biases),
                         (again.norms, part.norms)):  # fmt: skip
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


@many
@given(assemblies(made=chains_and_residual()), st.data())
def test_joining_every_unit_with_itself_is_taking_them(assembly, data):
    layer = data.draw(st.sampled_from(assembly.architecture.hidden_layers))
    units = range(len(assembly.groups[layer]))
    order = data.draw(st.permutations(units))[: data.draw(st.integers(1, len(units)))]
    taken, joined = assembly.take(layer, order), assembly.join(layer, [[unit] for unit in order])
    assert joined.groups == taken.groups
    for ours, theirs in ((joined.weights, taken.weights), (joined.norms, taken.norms)):
        for name, tensor in ours.items():
            torch.testing.assert_close(tensor, theirs[name], atol=1e-7, rtol=0)


@many
@given(assemblies(made=chains_and_residual()), st.data())
def test_joining_duplicates_leaves_outputs_unchanged(assembly, data):
    """Every unit stands in the network one to three times; what reads it splits its weight."""
    images = images_for(assembly)
    expected = scores_side_by_side(assembly.network().eval(), images)
    repeated, members = assembly, {}
    for layer in assembly.architecture.hidden_layers:
        copies = [data.draw(st.integers(1, 3)) for _ in assembly.groups[layer]]
        index = [unit for unit, count in enumerate(copies) for _ in range(count)]
        repeated = repeated.take(layer, index)
        share = torch.tensor([1 / copies[unit] for unit in index])
        for node in repeated.nodes_reading(layer):
            repeated.weights[node.name] *= share[:, None]
        members[layer] = [[i for i, u in enumerate(index) if u == unit]
                          for unit in range(len(copies))]  # fmt: skip
    got = scores_side_by_side(repeated.network().eval(), images)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)
    for layer, lists in members.items():
        repeated = repeated.join(layer, lists)
    assert repeated.groups == assembly.groups
    got = scores_side_by_side(repeated.network().eval(), images)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)
