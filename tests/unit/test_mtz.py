"""The mtz merger: pairs, wiring, what changes and what does not, and its refusals."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from pam import ConfigError, DataError
from pam.data import MultitaskDataset, Split
from pam.merging.hessian import input_rows, layer_hessian, node_inputs
from pam.merging.mtz import mtz
from pam.networks import Assembly, GroupedNetwork, build

SHAPE = (2, 10, 12)
OUTPUTS = {"A": 2, "B": 3, "C": 1}
STILL = {"stages": []}
LAYERS = ("c1", "c2", "f3", "f4")


def make_data(samples=40):
    generator = torch.Generator().manual_seed(11)

    def split(n):
        images = torch.randint(0, 256, (n, *SHAPE), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, 2, (n, 6), generator=generator) * 2 - 1
        return Split(images, labels.to(torch.int8))

    tasks = {"A": [0, 1], "B": [2, 3, 4], "C": [5]}
    parts = split(samples), split(16), split(16)
    return MultitaskDataset("noise", *parts, tasks, list("abcdef"), [0.5, 0.4], [0.3, 0.2])


DATA = make_data()
IMAGES = DATA.normalise(DATA.test.images)


def make(task, seed, widths=(3, 4, 9, 7)):
    network = build("lenet5", SHAPE, OUTPUTS[task], task=task, seed=seed, widths=widths)
    generator = torch.Generator().manual_seed(seed + 1000)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(".bias"):
                parameter.normal_(0, 0.3, generator=generator)
    return network


def permuted(network, task, seed):
    """The same function under another task's name, its hidden units in another order."""
    generator = torch.Generator().manual_seed(seed)
    assembly = Assembly.of(network)
    order = {}
    for layer in LAYERS:
        order[layer] = torch.randperm(len(assembly.groups[layer]), generator=generator)
        assembly = assembly.take(layer, order[layer])
    groups = {layer: [frozenset([task])] * len(g) for layer, g in assembly.groups.items()}
    renamed = replace(assembly, tasks={task: len(groups["f5"])}, groups=groups)
    return renamed.network(), order


def zip_still(networks, **options):
    named = {next(iter(network.tasks)): network for network in networks}
    return mtz(named, DATA, seed=0, retrain=STILL, **options)


def outputs(network):
    with torch.no_grad():
        return network(IMAGES)


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


def test_a_permuted_copy_is_recognised_in_every_layer():
    first = make("A", 1)
    second, order = permuted(first, "B", 5)
    merged = zip_still([first, second])
    for layer in LAYERS:
        note = merged.notes["zipped"][layer]
        assert note["cost"] <= 1e-12
        assert len(note["pairs"]) == len(order[layer])
        assert all(int(order[layer][j]) == i for i, j in note["pairs"])
    scores = outputs(merged)
    torch.testing.assert_close(scores["A"], outputs(first)["A"], rtol=0, atol=1e-6)
    torch.testing.assert_close(scores["B"], outputs(second)["B"], rtol=0, atol=1e-6)


def test_identical_networks_pair_every_unit_with_itself():
    first = make("A", 2)
    groups = {layer: [frozenset("B")] * len(g) for layer, g in Assembly.of(first).groups.items()}
    second = replace(Assembly.of(first), tasks={"B": 2}, groups=groups).network()
    merged = zip_still([first, second])
    for note in merged.notes["zipped"].values():
        assert note["cost"] <= 1e-12
        assert all(i == j for i, j in note["pairs"])
    for task in "AB":
        torch.testing.assert_close(outputs(merged)[task], outputs(first)["A"], rtol=0, atol=1e-6)


def test_three_copies_become_one_network():
    first = make("A", 2)
    second, _ = permuted(first, "B", 0)
    third, order = permuted(second, "C", 3)
    merged = zip_still([first, second, third])
    assert merged.groups()["f4"] == {"shared": 7}
    for layer in LAYERS:
        note = merged.notes["zipped"][layer]
        assert note["cost"] <= 1e-12
        assert all(int(order[layer][k]) == j for _, j, k in note["pairs"])
    for task in "ABC":
        torch.testing.assert_close(outputs(merged)[task], outputs(first)["A"], rtol=0, atol=1e-6)


def test_sharing_nothing_changes_nothing():
    networks = [make("A", 1), make("B", 2)]
    merged = zip_still(networks, shared=0)
    for network in networks:
        assert torch.equal(outputs(merged)[network.task], outputs(network)[network.task])
    assert merged.notes["zipped"] == {}
    assert not merged.training


def test_full_sharing_leaves_one_group_per_hidden_layer():
    networks = [make("A", 1), make("B", 2)]
    merged = zip_still(networks)
    hidden = {"c1": 3, "c2": 4, "f3": 9, "f4": 7}
    assert {layer: merged.groups()[layer] for layer in LAYERS} == {
        layer: {"shared": width} for layer, width in hidden.items()
    }
    common = n_parameters(networks[0]) - (7 + 1) * OUTPUTS["A"]
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


def test_reorganising_alone_keeps_the_outputs():
    """Shared units with one task's own weights put back are that task's network again."""
    networks = [make("A", 1), make("B", 2)]
    merged = zip_still(networks)
    single = Assembly.of(networks[1])
    for layer in LAYERS:
        single = single.take(layer, [pair[1] for pair in merged.notes["zipped"][layer]["pairs"]])
    with torch.no_grad():
        for layer in LAYERS:
            block = merged.blocks[layer]["shared"]
            block.weight.copy_(single.weights[layer].reshape(block.weight.shape))
            block.bias.copy_(single.biases[layer])
    torch.testing.assert_close(outputs(merged)["B"], outputs(networks[1])["B"], rtol=0, atol=1e-6)


def test_output_weights_follow_their_units():
    networks = [make("A", 1), make("B", 2)]
    merged = zip_still(networks)
    pairs = merged.notes["zipped"]["f4"]["pairs"]
    for side, network in enumerate(networks):
        order = [pair[side] for pair in pairs]
        before = network.blocks["f5"][network.task]
        after = merged.blocks["f5"][network.task]
        assert torch.equal(after.weight, before.weight[:, order])
        assert torch.equal(after.bias, before.bias)


def test_retraining_follows_every_layer_and_is_noted():
    networks = {"A": make("A", 1), "B": make("B", 2)}
    schedule = {"stages": [{"epochs": 2, "learning_rate": 0.01}], "batch_size": 8}
    merged = mtz(networks, DATA, seed=3, retrain=schedule)
    again = mtz(networks, DATA, seed=3, retrain=schedule)
    assert len(merged.notes["curve"]) == 2 * len(LAYERS)
    assert merged.notes == again.notes
    for one, other in zip(merged.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(outputs(merged)["A"], outputs(zip_still(networks.values()))["A"])


def test_the_single_networks_stay_as_they_were():
    network = make("A", 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    zip_still([network, make("B", 2)])
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def side_by_side(*networks):
    return Assembly.unite([Assembly.of(network) for network in networks]).network()


@pytest.mark.parametrize("layer", ["c1", "c2"])
def test_the_hessian_is_the_second_moment_of_the_patches(layer, monkeypatch):
    network = side_by_side(make("A", 1), make("B", 2))
    if layer != "c1":
        network = zip_still([make("A", 1), make("B", 2)], shared={"c2": 0, "f3": 0, "f4": 0})
    node = network.architecture.weighted[layer]
    rows = input_rows(node, node_inputs(network, node, DATA.normalise(DATA.train.images)))
    matrix = layer_hessian(network, node, DATA, DATA.train.images).matrix
    torch.testing.assert_close(matrix, rows.T @ rows / len(rows), rtol=1e-8, atol=1e-9)
    assert float(matrix[-1, -1]) == pytest.approx(1)
    monkeypatch.setattr("pam.merging.hessian.CHUNK_BYTES", 1)
    backwards = layer_hessian(network, node, DATA, DATA.train.images.flip(0)).matrix
    torch.testing.assert_close(matrix, backwards, rtol=1e-6, atol=1e-7)


def test_fewer_samples_than_inputs_need_no_square_matrix():
    network = zip_still([make("A", 1), make("B", 2)], shared={"f3": 0, "f4": 0})
    node = network.architecture.weighted["f3"]
    images = DATA.train.images[:5]
    hessian = layer_hessian(network, node, DATA, images)
    rows = input_rows(node, node_inputs(network, node, DATA.normalise(images)))
    assert hessian.factor.shape == (5, 4 * 2 * 3 + 1)
    torch.testing.assert_close(hessian.matrix, rows.T @ rows / 5)


def test_inputs_of_a_layer_come_from_shared_units_alone():
    merged = zip_still([make("A", 1), make("B", 2)], shared={"c1": 2, "c2": 0, "f3": 0, "f4": 0})
    node = merged.architecture.weighted["c2"]
    with torch.no_grad():
        maps = F.max_pool2d(F.relu(merged.blocks["c1"]["shared"](IMAGES)), 2)
    torch.testing.assert_close(node_inputs(merged, node, IMAGES), maps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shared": {"c1": 4}}, "layer 'c1' can share 0 to 3 units, not 4"),
        ({"shared": {"c1": -1}}, "layer 'c1' can share 0 to 3 units, not -1"),
        ({"shared": {"f9": 1}}, "there is no hidden layer 'f9'"),
        ({"shared": {"c1": 0}}, "layer 'c2' cannot share units, for 'c1' has none"),
        ({"shared": 1.5}, r"must be a fraction in \[0, 1\], not 1.5"),
        ({"shared": "most"}, "a fraction or layer -> units, not 'most'"),
        ({"alpha": {"A": 1.0}}, r"names \['A'\], the tasks are \['A', 'B'\]"),
        ({"alpha": {"A": 1.0, "B": 0.0}}, "must hold positive weights"),
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


def test_the_result_can_be_saved_with_its_notes(tmp_path):
    merged = zip_still([make("A", 1), make("B", 2)], shared=0.5)
    assert merged.groups()["c1"] == {"A": 2, "B": 2, "shared": 1}
    merged.save(tmp_path / "merged.safetensors", {"notes": merged.notes})
    loaded = GroupedNetwork.load(tmp_path / "merged.safetensors")
    assert torch.equal(outputs(loaded)["B"], outputs(merged)["B"])
