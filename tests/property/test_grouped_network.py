"""The grouped network against a dense one, and its sub-networks against the whole."""

from tempfile import TemporaryDirectory

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pam.networks import GroupedNetwork
from pam.networks.subnetwork import view
from pam.networks.wiring import executed
from tests.random_networks import (
    PHASES,
    assemblies,
    assert_same_bits,
    chains_and_residual,
    images_for,
    networks,
)
from tests.reference.dense_network import dense_lenet_scores

few = settings(max_examples=20)
many = settings(max_examples=60)
deep = settings(max_examples=20, phases=PHASES)


@many
@given(assemblies())
def test_the_wiring_rule_equals_a_dense_network_with_forbidden_weights_zero(assembly):
    network = assembly.network()
    images = images_for(network)
    scores = torch.cat(list(network(images).values()), dim=1)
    torch.testing.assert_close(scores, dense_lenet_scores(assembly, images), atol=1e-5, rtol=0)


@few
@given(networks())
def test_every_subnetwork_gives_the_scores_of_the_whole(network):
    network.eval()
    images = images_for(network)
    whole = network(images)
    for combination in network.combinations():
        scores = network.subnetwork(combination)(images)
        assert list(scores) == list(combination)
        for task, score in scores.items():
            torch.testing.assert_close(score, whole[task], atol=1e-6, rtol=0)


@few
@given(networks())
def test_a_subnetwork_holds_the_groups_its_outputs_depend_on_and_nothing_else(network):
    for combination in network.combinations():
        held = sorted(tuple(p.shape) for p in network.subnetwork(combination).parameters())
        needed = executed(network.architecture, network.widths, combination)
        assert all(group & set(combination) for groups in needed.values() for group in groups)
        expected = sorted(
            tuple(parameter.shape)
            for node in network.architecture.weighted.values()
            for group in needed[node.name]
            for parameter in network.blocks[node.name][network.group_name(group)].parameters()
        )
        assert held == expected


@few
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


@few
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


@deep
@given(networks(made=chains_and_residual()), st.data())
def test_other_tasks_do_not_change_a_tasks_scores(network, data):
    images = images_for(network)
    running = data.draw(st.sampled_from(network.combinations()))
    with torch.no_grad():
        whole, part = network(images), network(images, tasks=running)
    assert list(part) == list(running)
    assert all(torch.equal(part[task], whole[task]) for task in running)


@few
@given(networks())
def test_the_gate_sees_every_hidden_group_once_before_pooling(network):
    seen = {}

    def gate(layer, group, x):
        seen[layer, group] = tuple(x.shape[1:])
        return x

    images = images_for(network)
    gated, plain = network(images, gate=gate), network(images)
    assert all(torch.equal(gated[task], plain[task]) for task in plain)
    _, height, width = network.architecture.input_shape
    maps = {"c1": (height, width), "c2": (height // 2, width // 2), "f3": (), "f4": ()}
    assert seen == {
        (layer, group): (units, *maps[layer])
        for layer in network.hidden_layers
        for group, units in network.widths[layer].items()
    }


@deep
@given(networks(largest=3, made=chains_and_residual()))
def test_save_and_load_give_the_same_network(network):
    with TemporaryDirectory() as folder:
        network.save(f"{folder}/n.safetensors", {"seed": 3})
        loaded = GroupedNetwork.load(f"{folder}/n.safetensors")
    assert list(loaded.tasks.items()) == list(network.tasks.items())
    assert loaded.architecture == network.architecture
    assert_same_bits(loaded, network)
