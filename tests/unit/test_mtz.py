"""The mtz merger: pairs, wiring, what changes and what does not, and its refusals."""

import pytest
import torch
from torch.nn import functional as F

from pam import ConfigError, DataError
from pam.merging.mtz import mtz
from pam.merging.zipping.hessian import input_rows, layer_hessian, node_inputs
from pam.networks import Assembly
from tests.small import LAYERS, STILL, images_of, make_data, make_network, scores_of, side_by_side

DATA = make_data(40, tasks="ABC")
IMAGES = images_of(DATA)


def make(task, seed, widths=(3, 4, 9, 7)):
    return make_network(task, seed, widths=widths)


def outputs(network):
    return scores_of(network, IMAGES)


def zip_still(networks, **options):
    named = {next(iter(network.tasks)): network for network in networks}
    return mtz(named, DATA, seed=0, retrain=STILL, **options)


def pre_activations(network, layer):
    """Group name -> what the layer computes before its activation, on all training images."""
    seen = {}
    hooks = [
        block.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
        for name, block in network.blocks[layer].items()
    ]
    with torch.no_grad():
        network.double()(DATA.normalise(DATA.train.images).double())
    network.float()
    for hook in hooks:
        hook.remove()
    return seen


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_full_sharing_leaves_one_group_per_hidden_layer():
    networks = [make("A", 1), make("B", 2)]
    merged = zip_still(networks)
    hidden = {"c1": 3, "c2": 4, "f3": 9, "f4": 7}
    assert {layer: merged.groups()[layer] for layer in LAYERS} == {
        layer: {"shared": width} for layer, width in hidden.items()
    }
    common = n_parameters(networks[0]) - (7 + 1) * 2
    assert n_parameters(merged) == sum(map(n_parameters, networks)) - common


def test_different_widths_share_the_narrower_one():
    merged = zip_still([make("A", 1), make("B", 2, widths=(5, 4, 6, 8))])
    groups = merged.groups()
    assert groups["c1"] == {"B": 2, "shared": 3}
    assert groups["c2"] == {"shared": 4}
    assert groups["f3"] == {"A": 3, "shared": 6}
    assert groups["f4"] == {"B": 1, "shared": 7}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "alpha", [{"A": 1, "B": 1}, {"A": 0.2, "B": 0.8}, {"A": 1, "B": 2, "C": 5}]
)
def test_the_cost_is_the_error_measured_in_the_network(layer, alpha):
    """Half the weighted mean squared change of the pre-activations, summed over shared units."""
    networks = [make(task, seed) for seed, task in enumerate(alpha)]
    after = {name: 0 for name in LAYERS[LAYERS.index(layer) + 1 :]}
    kept = zip_still(networks, alpha=alpha, shared={**after, layer: 0})
    merged = zip_still(networks, alpha=alpha, shared=after)
    old, new = pre_activations(kept, layer), pre_activations(merged, layer)["shared"]
    note = merged.notes["zipped"][layer]
    measured = 0.0
    for unit, members in enumerate(note["pairs"]):
        for task, member in zip(alpha, members, strict=True):
            change = new[:, unit] - old[task][:, member]
            measured += alpha[task] / sum(alpha.values()) / 2 * float(change.square().mean())
    assert note["cost"] == pytest.approx(measured, rel=1e-5)


def test_more_sharing_costs_more_and_extends_the_list_of_pairs():
    networks = [make("A", 1), make("B", 2)]
    rest = {"c2": 0, "f3": 0, "f4": 0}
    notes = [zip_still(networks, shared={"c1": n, **rest}).notes["zipped"]["c1"] for n in (1, 2, 3)]
    assert notes[0]["cost"] <= notes[1]["cost"] <= notes[2]["cost"]
    assert notes[2]["pairs"][:2] == notes[1]["pairs"]
    assert notes[1]["pairs"][:1] == notes[0]["pairs"]


def test_units_that_are_not_shared_compute_what_they_did():
    networks = [make("A", 1), make("B", 2)]
    shared = {"c1": 3, "c2": 1, "f3": 0, "f4": 0}
    kept = zip_still(networks, shared=shared | {"c2": 0})
    merged = zip_still(networks, shared=shared)
    old, new = pre_activations(kept, "c2"), pre_activations(merged, "c2")
    (pair,) = merged.notes["zipped"]["c2"]["pairs"]
    for task, member in zip("AB", pair, strict=True):
        rest = [unit for unit in range(4) if unit != member]
        torch.testing.assert_close(new[task], old[task][:, rest], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("side", [0, 1])
def test_reorganising_alone_keeps_the_scores(side):
    """Shared units with one task's own weights put back are that task's network again."""
    networks = [make("A", 1), make("B", 2)]
    merged, task = zip_still(networks), "AB"[side]
    single = Assembly.of(networks[side])
    for layer in LAYERS:
        single = single.take(layer, [pair[side] for pair in merged.notes["zipped"][layer]["pairs"]])
    with torch.no_grad():
        for layer in LAYERS:
            block = merged.blocks[layer]["shared"]
            block.weight.copy_(single.weights[layer].reshape(block.weight.shape))
            block.bias.copy_(single.biases[layer])
    own = outputs(networks[side])[task]
    torch.testing.assert_close(outputs(merged)[task], own, rtol=0, atol=1e-6)


def test_retraining_follows_every_layer_and_is_noted():
    networks = {"A": make("A", 1), "B": make("B", 2)}
    schedule = {"stages": [{"epochs": 2, "learning_rate": 0.01}], "batch_size": 8}
    merged = mtz(networks, DATA, seed=3, retrain=schedule)
    assert len(merged.notes["curve"]) == 2 * len(LAYERS)
    assert not torch.equal(outputs(merged)["A"], outputs(zip_still(networks.values()))["A"])


def shared_inputs(network, node):
    groups = Assembly.of(network).source_groups(node)
    return [unit for unit, group in enumerate(groups) if group == set(network.tasks)]


@pytest.mark.parametrize("layer", ["c1", "c2"])
def test_the_hessian_is_the_second_moment_of_the_patches(layer, monkeypatch):
    network = side_by_side({"A": make("A", 1), "B": make("B", 2)})
    if layer != "c1":
        network = zip_still([make("A", 1), make("B", 2)], shared={"c2": 0, "f3": 0, "f4": 0})
    node = network.architecture.weighted[layer]
    units = shared_inputs(network, node)
    rows = input_rows(node, node_inputs(network, node, DATA.normalise(DATA.train.images), units))
    matrix = layer_hessian(network, node, DATA, DATA.train.images, units).matrix
    torch.testing.assert_close(matrix, rows.T @ rows / len(rows), rtol=1e-8, atol=1e-9)
    assert float(matrix[-1, -1]) == pytest.approx(1)
    monkeypatch.setattr("pam.merging.zipping.hessian.CHUNK_BYTES", 1)
    backwards = layer_hessian(network, node, DATA, DATA.train.images.flip(0), units).matrix
    torch.testing.assert_close(matrix, backwards, rtol=1e-6, atol=1e-7)


def test_fewer_samples_than_inputs_need_no_square_matrix():
    network = zip_still([make("A", 1), make("B", 2)], shared={"f3": 0, "f4": 0})
    node = network.architecture.weighted["f3"]
    images, units = DATA.train.images[:5], shared_inputs(network, node)
    hessian = layer_hessian(network, node, DATA, images, units)
    rows = input_rows(node, node_inputs(network, node, DATA.normalise(images), units))
    assert hessian.factor.shape == (5, 4 * 3 * 4 + 1)
    torch.testing.assert_close(hessian.matrix, rows.T @ rows / 5)


def test_inputs_of_a_layer_come_from_shared_units_alone():
    merged = zip_still([make("A", 1), make("B", 2)], shared={"c1": 2, "c2": 0, "f3": 0, "f4": 0})
    node = merged.architecture.weighted["c2"]
    with torch.no_grad():
        maps = F.max_pool2d(F.relu(merged.blocks["c1"]["shared"](IMAGES)), 2)
    units = shared_inputs(merged, node)
    torch.testing.assert_close(node_inputs(merged, node, IMAGES, units), maps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shared": {"c1": 4}}, "layer 'c1' can share 0 to 3 units, not 4"),
        ({"shared": {"f9": 1}}, "there is no hidden layer 'f9'"),
        ({"shared": {"c1": 0}}, "layer 'c2' cannot share units, for 'c1' has none"),
        ({"alpha": {"A": 1.0}}, r"names \['A'\], the tasks are \['A', 'B'\]"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        zip_still([make("A", 1), make("B", 2)], **options)


@pytest.mark.parametrize("layer", LAYERS)
def test_weights_that_are_not_finite_are_refused(layer):
    broken = make("B", 2)
    with torch.no_grad():
        broken.blocks[layer]["B"].bias[0] = float("nan")
    with pytest.raises(DataError, match=f"weights of layer '{layer}' for task 'B' hold NaN"):
        zip_still([make("A", 1), broken])


def test_activations_that_are_not_finite_are_refused():
    broken = [make("A", 1), make("B", 2)]
    with torch.no_grad():
        for network in broken:
            for layer in ("c1", "c2"):
                network.blocks[layer][network.task].weight.fill_(1e30)
    with pytest.raises(DataError, match="inputs of layer 'f3' hold NaN or infinity"):
        zip_still(broken)
