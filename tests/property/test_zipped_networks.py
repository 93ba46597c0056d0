"""Zipping of every architecture: copies are recognised in any order of units, stages fit."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam import ConfigError
from pam.data import MultitaskDataset, Split
from pam.merging.mtz import mtz
from pam.merging.pam_zip import pam_zip
from pam.merging.zipping import zip_steps
from pam.merging.zipping.hessian import layer_hessian
from pam.merging.zipping.surgery import folded_weights, neutral_norm
from pam.networks import Assembly, build
from tests.examples import examples
from tests.small import STILL, images_of, same_bits, scores_of, shuffled

TASKS = {"A": [0, 1], "B": [2, 3], "C": [1, 3]}
# Architecture, side of an image, and options.
KINDS = {
    "lenet5": ("lenet5", 32, {"widths": (3, 4, 9, 7)}),
    "vgg16": ("vgg16", 32, {"width": 0.06, "hidden": 12}),
    "small": ("resnet18", 32, {"width": 0.06, "stem": "small"}),
    "imagenet": ("resnet18", 40, {"width": 0.06, "stem": "imagenet"}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
few = examples(3)


def make_data(side, samples=10):
    generator = torch.Generator().manual_seed(side)

    def split(n):
        coarse = torch.randint(0, 256, (n, 3, 4, 4), generator=generator, dtype=torch.uint8)
        images = coarse.repeat_interleave(side // 4, 2).repeat_interleave(side // 4, 3)
        labels = torch.randint(0, 2, (n, 4), generator=generator) * 2 - 1
        return Split(images, labels.to(torch.int8))

    parts = split(samples), split(4), split(4)
    return MultitaskDataset("noise", *parts, TASKS, list("abcd"), [0.5] * 3, [0.3] * 3)


def make_network(task, seed, name, side, **options):
    """A network whose biases and batch normalisations are as random as its weights.

    Its running statistics are those of a few images, as training would leave them.
    """
    network = build(name, (3, side, side), 2, task=task, seed=seed, **options)
    generator = torch.Generator().manual_seed(seed + 1000)
    with torch.no_grad():
        for kind, value in network.named_parameters():
            if kind.endswith("bias"):
                value.normal_(0, 0.2, generator=generator)
            elif value.ndim == 1:
                value.uniform_(-1.5, 1.5, generator=generator)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        network.train()(images_of(make_data(side)))
    return network.eval()


def network_of(kind, task, seed):
    name, side, options = KINDS[kind]
    return make_network(task, seed, name, side, **options)


def data_of(kind):
    return make_data(KINDS[kind][1])


def residual(task, seed):
    return network_of("small", task, seed)


def pair(kind="small"):
    return [network_of(kind, task, i) for i, task in enumerate("AB")]


def permuted(network, task, seed):
    """The same function under another task's name, hidden layer -> the order of its units."""
    other, order = shuffled(network, seed)
    orders = {layer: units.tolist() for layer, units in order.items()}
    return other.eval().for_task(task), orders


def name_of(network):
    (task,) = network.tasks
    return task


def zip_still(data, *networks, **options):
    named = {name_of(network): network for network in networks}
    return mtz(named, data, seed=0, retrain=STILL, samples=len(data.train), **options)


def assert_keeps_outputs(merged, images, *networks, atol=1e-5):
    scores = scores_of(merged, images)
    for network in networks:
        own = scores_of(network, images)[name_of(network)]
        assert float(own.std(0).min()) > 1e-3
        torch.testing.assert_close(scores[name_of(network)], own, rtol=0, atol=atol)


def all_outputs(network, images):
    """(Node, group name) -> what it puts out, float64."""
    seen = {}

    def observe(name, group, tensor):
        seen[name, network.group_name(group)] = tensor

    with torch.no_grad():
        network.double()(images.double(), observe=observe)
    network.float()
    return seen


def shared_outputs(network, images):
    """Node -> what its shared units put out, float64."""
    outputs = all_outputs(network, images)
    return {node: tensor for (node, group), tensor in outputs.items() if group == "shared"}


def assert_recognised(merged, order, side=1):
    for layer, units in order.items():
        note = merged.notes["zipped"][layer]
        assert note["cost"] <= 1e-10
        assert sorted(pair[0] for pair in note["pairs"]) == list(range(len(units)))
        assert all(units[pair[side]] == pair[0] for pair in note["pairs"])


@every_kind
@few
@given(seed=st.integers(0, 2**31))
def test_a_permuted_network_is_recognised(kind, seed):
    data, first = data_of(kind), network_of(kind, "A", seed % 1000)
    second, order = permuted(first, "B", seed)
    merged = zip_still(data, first, second)
    assert_recognised(merged, order)
    assert all(list(groups) == ["shared"] for groups in list(merged.groups().values())[:-1])
    assert_keeps_outputs(merged, images_of(data), first, second)


@pytest.mark.parametrize("kind", ["lenet5", "small"])
def test_three_copies_become_one(kind):
    data, first = data_of(kind), network_of(kind, "A", 5)
    second, to_second = permuted(first, "B", 1)
    third, to_third = permuted(first, "C", 2)
    merged = zip_still(data, first, second, third)
    assert_recognised(merged, to_second)
    assert_recognised(merged, to_third, side=2)
    assert_keeps_outputs(merged, images_of(data), first, second, third)


@few
@given(st.integers(0, 999), st.sampled_from([0.3, 0.5, 0.9]), st.sampled_from(["AB", "ABC"]))
def test_partial_sharing_splits_every_layer_as_asked(seed, fraction, tasks):
    data = make_data(32)
    networks = [residual(task, seed + i) for i, task in enumerate(tasks)]
    merged = zip_still(data, *networks, shared=fraction)
    for layer, groups in merged.groups().items():
        if layer != "fc":
            width = sum(networks[0].widths[layer].values())
            shared = max(1, int(fraction * width))
            rest = {task: width - shared for task in tasks if width > shared}
            assert groups == {**rest, "shared": shared}
    assert all(bool(s.isfinite().all()) for s in scores_of(merged, images_of(data)).values())


@pytest.mark.parametrize("kind", ["lenet5", "small"])
def test_sharing_nothing_changes_no_output(kind):
    data, networks = data_of(kind), pair(kind)
    merged = zip_still(data, *networks, shared=0)
    assert merged.notes["zipped"] == {}
    assert not merged.training
    assert_keeps_outputs(merged, images_of(data), *networks, atol=0)


def test_a_stage_may_be_left_alone_after_shared_ones():
    data, networks = make_data(32), pair()
    none = {layer: 0 for layer in networks[0].hidden_layers if layer >= "s3"}
    merged = zip_still(data, *networks, shared=none)
    assert set(merged.notes["zipped"]) == {"s1", "s1_1", "s1_2", "s2", "s2_1", "s2_2"}
    assert set(merged.groups()["s3"]) == {"A", "B"}


def test_half_a_stage_cannot_be_shared():
    networks = pair()
    with pytest.raises(ConfigError, match="layer 's2' cannot share units, for 's2_2' has none"):
        zip_still(make_data(32), *networks, shared={"s2_2": 0})


def test_a_chain_is_zipped_layer_by_layer_and_a_stage_together():
    vgg = build("vgg16", (3, 32, 32), 1, width=0.05, hidden=4).architecture
    assert zip_steps(vgg) == [(layer,) for layer in vgg.hidden_layers]
    steps = zip_steps(build("resnet18", (3, 32, 32), 1, width=0.05).architecture)
    assert steps[:3] == [("s1", "s1_1", "s1_2"), ("s2_1",), ("s2", "s2_2")]
    assert len(steps) == 7


@few
@given(st.integers(0, 999))
def test_folding_normalisation_is_exact(seed):
    """A convolution with folded weights and no normalisation computes what evaluation does."""
    data, network = make_data(32), residual("A", seed)
    assembly, seen = Assembly.of(network), all_outputs(network, images_of(data))
    for name, norm in network.architecture.norm_after.items():
        node = network.architecture.weighted[name]
        inputs = seen.get((node.sources[0], "A"), images_of(data).double())
        channels = inputs.shape[1]
        folded = folded_weights(assembly, node, list(range(node.units)), list(range(channels)))
        kernel = folded[:, :-1].reshape(-1, channels, node.kernel, node.kernel)
        made = torch.conv2d(inputs, kernel, folded[:, -1], node.stride, node.padding)
        torch.testing.assert_close(made, seen[norm, "A"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_training_starts_from_what_evaluation_computes(fraction):
    """On the images of the Hessians, running statistics of shared units are those of the batch."""
    data, networks = make_data(32), pair()
    merged = zip_still(data, *networks, shared=fraction)
    images = data.normalise(data.train.images)
    settled, moving = shared_outputs(merged, images), shared_outputs(merged.train(), images)
    for norm in merged.architecture.norms:
        torch.testing.assert_close(moving[norm], settled[norm], rtol=1e-3, atol=1e-3)


def test_a_neutral_norm_takes_out_its_own_statistics():
    data, network = make_data(32), residual("A", 1)
    node = network.architecture.weighted["s1_stem"]
    moment = layer_hessian(network, node, data, data.train.images, range(3))
    folded = folded_weights(Assembly.of(network), node, [0, 1, 2, 3], [0, 1, 2])
    weight, bias, mean, variance = neutral_norm(folded, moment)
    maps = torch.conv2d(
        data.normalise(data.train.images).double(), folded[:, :-1].reshape(4, 3, 3, 3), padding=1
    )
    torch.testing.assert_close(mean, maps.mean((0, 2, 3)), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(variance, maps.var((0, 2, 3), unbiased=False), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(bias - weight * mean / weight, folded[:, -1])


@pytest.mark.parametrize("alpha", [{"A": 1, "B": 1}, {"A": 1, "B": 3}])
def test_the_cost_of_a_stage_is_the_error_at_the_convolutions_that_decide(alpha):
    """Half the weighted mean squared change of what the shortcut and the first block add."""
    data, networks = make_data(32), pair()
    later = {layer: 0 for layer in networks[0].hidden_layers if layer >= "s3"}
    kept = zip_still(data, *networks, alpha=alpha, shared={**later, "s2": 0, "s2_2": 0})
    merged = zip_still(data, *networks, alpha=alpha, shared=later)
    images = data.normalise(data.train.images)
    measured = 0.0
    note = merged.notes["zipped"]["s2"]
    for norm in ("s2_1_shortcut_norm", "s2_1_b_norm"):
        new = all_outputs(merged, images)[norm, "shared"]
        for side, task in enumerate("AB"):
            members = [pair[side] for pair in note["pairs"]]
            change = new - all_outputs(kept, images)[norm, task][:, members]
            error = float(change.square().mean((0, 2, 3)).sum())
            measured += alpha[task] / sum(alpha.values()) / 2 * error
    assert note["cost"] == pytest.approx(measured, rel=1e-4)


def pam_zip_still(data, relevance, networks):
    named = dict(zip("AB", networks, strict=True))
    return pam_zip(named, data, seed=0, retrain=STILL, samples=len(data.train), relevance=relevance)


@pytest.mark.parametrize("kind", ["lenet5", "small"])
def test_pam_zip_without_a_demand_on_relevance_is_mtz(kind):
    data, networks = data_of(kind), pair(kind)
    assert same_bits(pam_zip_still(data, 0.0, networks), zip_still(data, *networks))


@pytest.mark.parametrize("relevance", [0.3, 0.6, 0.9])
def test_pam_zip_shares_all_layers_of_a_step_or_none(relevance):
    data = make_data(32)
    zipped = pam_zip_still(data, relevance, pair())
    groups = zipped.groups()
    sharing = [
        [groups[layer].get("shared", 0) > 0 for layer in step]
        for step in zip_steps(zipped.architecture)
    ]
    assert all(len(set(step)) == 1 for step in sharing)
    assert sharing == sorted(sharing, reverse=True, key=any)
    assert all(bool(s.isfinite().all()) for s in scores_of(zipped, images_of(data)).values())


def test_a_normalisation_after_an_addition_is_refused():
    architecture = build("resnet18", (3, 32, 32), 1, width=0.05).architecture
    added, former = "s1_1_add", architecture.norms["s1_1_b_norm"]
    moved = replace(former, name="odd", sources=(added,))
    odd = replace(architecture, nodes=(*architecture.nodes, moved))
    with pytest.raises(ConfigError, match="normalisation 'odd' follows no convolution"):
        zip_steps(odd)


def test_steps_read_only_themselves_and_earlier_ones():
    architecture = build("resnet34", (3, 32, 32), 1, width=0.05).architecture
    steps = zip_steps(architecture)
    assert sorted(layer for step in steps for layer in step) == sorted(architecture.hidden_layers)
    position = {layer: i for i, step in enumerate(steps) for layer in step}
    for node in architecture.weighted.values():
        source = architecture.source_layer(node)
        if node.layer in position and source in position:
            assert position[source] <= position[node.layer]
