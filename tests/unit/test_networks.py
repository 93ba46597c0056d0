"""Names, shapes and errors of networks."""

import pytest
import torch
from torch import nn

import pam
from pam.files import read_tensors
from pam.groups import all_combinations, components, group_name, parse_group, sorted_groups
from pam.networks import ARCHITECTURES, GroupedNetwork, SingleTaskNetwork, architecture, build


def group(names):
    return frozenset(names)


def grouped(widths, tasks=None, shape=(1, 8, 8)):
    table = {layer: {group(names): n for names, n in row.items()} for layer, row in widths.items()}
    return GroupedNetwork(architecture("lenet5", shape), tasks or {"A": 2, "B": 1, "C": 3}, table)


THREE = {
    "c1": {"A": 1, "AC": 2, "ABC": 1},
    "c2": {"AC": 2, "ABC": 3},
    "f3": {"C": 1, "ABC": 2},
    "f4": {"ABC": 2, "B": 1},
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_has_the_layers_that_its_registration_names(name):
    network = build(name, (3, 32, 32), 1)
    assert ARCHITECTURES.describe(name).layers.split() == list(network.hidden_layers)


def test_combinations_come_smaller_first_in_task_order():
    network = grouped(THREE)
    assert network.combinations() == [
        *(("A",), ("B",), ("C",)),
        *(("A", "B"), ("A", "C"), ("B", "C")),
        ("A", "B", "C"),
    ]
    assert len(all_combinations("ABCDE")) == 31


def test_groups_are_named_by_their_tasks_in_task_order():
    assert grouped(THREE).groups() == {
        "c1": {"A": 1, "A&C": 2, "shared": 1},
        "c2": {"A&C": 2, "shared": 3},
        "f3": {"C": 1, "shared": 2},
        "f4": {"B": 1, "shared": 2},
        "f5": {"A": 2, "B": 1, "C": 3},
    }
    assert group_name(group("A"), ["A"]) == "A"
    tasks = ["C", "A", "B"]
    for names in ("A", "AC", "ABC"):
        assert parse_group(group_name(group(names), tasks), tasks) == group(names)
    ordered = sorted_groups([group("ABC"), group("AB"), group("B"), group("CA")], tasks)
    assert ordered == [group("B"), group("CA"), group("AB"), group("ABC")]


def test_components_are_the_tasks_connected_through_groups():
    widths = {"c1": {group("AC"): 1, group("B"): 1}, "c2": {group("CD"): 2, group("E"): 1}}
    assert components(widths, "ABCDE") == [group("ACD"), group("B"), group("E")]


def test_groups_of_no_units_are_absent():
    network = grouped({**THREE, "c2": {"A": 0, "ABC": 1}})
    assert network.widths["c2"] == {group("ABC"): 1}


def test_a_dense_lenet_is_the_textbook_module():
    network = build("lenet5", (3, 9, 13), 4, seed=5)
    blocks = {name: block["A"] for name, block in network.blocks.items()}
    textbook = nn.Sequential(
        *(blocks["c1"], nn.ReLU(), nn.MaxPool2d(2), blocks["c2"], nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), blocks["f3"], nn.ReLU(), blocks["f4"], nn.ReLU(), blocks["f5"], nn.Tanh()),
    )
    images = torch.randn(2, 3, 9, 13, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(images)["A"], textbook(images))
    assert {name: tuple(block.weight.shape) for name, block in blocks.items()} == {
        "c1": (6, 3, 5, 5),
        "c2": (16, 6, 5, 5),
        "f3": (120, 16 * 2 * 3),
        "f4": (84, 120),
        "f5": (4, 84),
    }


def test_initial_weights_follow_the_seed_and_the_fan_in():
    one, same, other = (build("lenet5", (1, 28, 28), 5, seed=seed) for seed in (1, 1, 2))
    weights = [network.blocks["f3"]["A"].weight for network in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert weights[0].std().item() == pytest.approx((49 * 16) ** -0.5, rel=0.02)
    assert all(not b.any() for name, b in one.named_parameters() if name.endswith("bias"))


def test_initial_weights_do_not_depend_on_the_global_generator():
    weights = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        weights.append(build("lenet5", (1, 8, 8), 2).state_dict())
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


NO_SHAPES = [
    *((28, 28), (0, 28, 28), (1, 28.5, 28), (1, -4, 28), (1, float("inf"), float("nan"))),
    *("1,28,28", ("a", 28, 28), None),
]


@pytest.mark.parametrize(
    ("shape", "name", "sentence"),
    [
        ((1, 3, 28), "lenet5", "too small for 'lenet5'"),
        ((3, 31, 64), "vgg16", "too small for 'vgg16'"),
        *((shape, "lenet5", "an input shape is") for shape in NO_SHAPES),
    ],
)
def test_impossible_shapes_are_refused(shape, name, sentence):
    with pytest.raises(pam.ShapeError, match=sentence):
        build(name, shape, 2)


@pytest.mark.parametrize(
    ("name", "outputs", "options", "sentence"),
    [
        ("lenet", 2, {}, "did you mean 'lenet5'"),
        ("lenet5", 0, {}, "at least one output"),
        ("lenet5", 2, {"depth": 3}, "lenet5.*depth"),
        ("lenet5", 2, {"widths": (6, 16, 120)}, "widths: has too few values"),
    ],
)
def test_bad_options_are_refused(name, outputs, options, sentence):
    with pytest.raises(pam.ConfigError, match=sentence):
        build(name, (3, 32, 32), outputs, **options)


@pytest.mark.parametrize("tasks", ["", "D", "A&D", [], ["A", ""]])
def test_bad_combinations_are_refused(tasks):
    with pytest.raises(pam.ConfigError, match="task"):
        grouped(THREE).subnetwork(tasks)


def test_a_width_table_of_other_layers_or_tasks_is_refused():
    with pytest.raises(pam.ShapeError, match="does not fit 'lenet5': layer 'c3' is unknown"):
        grouped({**THREE, "c3": {"A": 1}})
    with pytest.raises(pam.ShapeError, match="layer 'c2' has a group of unknown tasks"):
        grouped({**THREE, "c2": {"ABCD": 3}})


def test_a_layer_left_without_inputs_is_a_collapse():
    with pytest.raises(pam.errors.CollapseError, match="group 'A' of layer 'c2' has nothing"):
        grouped({**THREE, "c1": {"C": 3}, "c2": {"A": 1}, "f3": {"A": 1}, "f4": {"A": 1}})
    with pytest.raises(pam.errors.CollapseError, match="layer 'f5' has nothing to read in layer"):
        grouped({**THREE, "f4": {"AC": 2}})


def test_a_gate_scales_the_units_it_is_given():
    network = build("lenet5", (1, 8, 8), 2)
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def off(layer, group, x):
        return x * (layer != "f4")

    bias = network.blocks["f5"]["A"].bias
    with torch.no_grad():
        bias.fill_(0.3)
    scores = network(images, gate=off)["A"]
    assert torch.allclose(scores, torch.tanh(bias).expand(2, 2))


def test_a_single_network_comes_back_with_its_class_and_meta(tmp_path):
    network = build("lenet5", (1, 8, 8), 2, task="B", seed=3)
    network.save(tmp_path / "n.safetensors", {"seed": 3})
    loaded = SingleTaskNetwork.load(tmp_path / "n.safetensors")
    assert isinstance(loaded, SingleTaskNetwork)
    assert loaded.task == "B"
    state = network.state_dict()
    assert all(torch.equal(t, state[name]) for name, t in loaded.state_dict().items())
    assert read_tensors(tmp_path / "n.safetensors")[1]["seed"] == 3
