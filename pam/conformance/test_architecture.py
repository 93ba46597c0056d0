"""What is asked of an architecture; docstrings say how to comply."""

from math import isfinite
from pathlib import Path

import pytest
import torch

from pam.conformance.subject import (
    MIXED,
    TOLERANCE,
    Subject,
    check_file,
    check_parts,
    check_refused,
    group,
    images,
    tensors_of,
    with_biases,
)
from pam.cost import analytic_macs, macs
from pam.errors import ShapeError
from pam.networks import Architecture, Group, GroupedNetwork, SingleTaskNetwork, architecture, build
from pam.pruning import remove, unit_keys
from pam.source.code import code_hash
from pam.training import Schedule, descend, nesterov

OUTPUTS = {"A": 2, "B": 1, "C": 3}
MOST_UNITS = 6


def run(subject: Subject, **more: object) -> Architecture:
    """Build the architecture with the options of the subject, and more."""
    return architecture(subject.name, subject.input_shape, **subject.options, **more)


@pytest.fixture(scope="module")
def built(subject: Subject) -> Architecture:
    """The architecture."""
    return run(subject)


@pytest.fixture(scope="module")
def single(subject: Subject) -> SingleTaskNetwork:
    """A fresh single-task network of task C, as wide as the architecture is."""
    shape, outputs = subject.input_shape, OUTPUTS["C"]
    return with_biases(build(subject.name, shape, outputs, task="C", **subject.options), 0)


@pytest.fixture(scope="module")
def grouped(built: Architecture) -> GroupedNetwork:
    """Three networks in groups of every kind, each of a few units per layer."""
    torch.manual_seed(0)
    thin = {}
    for seed, (task, outputs) in enumerate(OUTPUTS.items()):
        group_ = frozenset([task])
        widths = {layer: {group_: min(n, MOST_UNITS)} for layer, n in built.units.items()}
        thin[task] = with_biases(SingleTaskNetwork(built, {task: outputs}, widths), seed)
    return group(thin, MIXED)


def test_it_is_an_architecture_of_its_registered_name(built: Architecture, subject) -> None:
    """Take (input_shape, ...); return Architecture(name, input_shape, nodes, options)."""
    assert isinstance(built, Architecture), f"it returns {type(built).__name__}"
    assert built.name == subject.name, f"the name of what it returns is '{built.name}'"


def test_its_options_make_it_again(built: Architecture) -> None:
    """Put every option, defaults included, as plain values into Architecture(options=...)."""
    same = architecture(built.name, built.input_shape, **built.options).nodes == built.nodes
    assert same, f"options {built.options} make another architecture"


def test_every_label_has_an_output_between_minus_1_and_1(single: SingleTaskNetwork) -> None:
    """End with an Output node of units=0 and a Tanh node (Chain.output does both)."""
    batch = images(single.architecture.input_shape)
    with torch.no_grad():
        scores = single.eval()(batch)["C"]
    shape = tuple(scores.shape)
    assert shape == (len(batch), OUTPUTS["C"]), f"4 images and 3 labels give scores {shape}"
    assert float(scores.abs().max()) <= 1, "a score is beyond 1"


def test_a_step_of_training_changes_it(single: SingleTaskNetwork) -> None:
    """Connect every node; mind what no gradient passes through."""
    before = tensors_of(single.train())
    batch = images(single.architecture.input_shape)
    labels = {"C": torch.tensor([[1.0, -1.0, 1.0]] * len(batch))}
    loss = float(descend(single, nesterov(single, 0.01, Schedule(())), batch, labels))
    assert isfinite(loss), f"the loss is {loss}"
    same = all(torch.equal(before[name], now) for name, now in single.state_dict().items())
    assert not same, "no weight has changed"


def test_groups_of_every_kind_work_and_every_combination_runs(grouped: GroupedNetwork) -> None:
    """Leave units to the nodes of pam.networks, which keep groups apart."""
    with torch.no_grad():
        scores = grouped(images(grouped.architecture.input_shape))
    same = list(scores) == list(OUTPUTS)
    assert same, f"tasks {list(OUTPUTS)} give outputs {list(scores)}"
    check_parts(grouped)


def test_every_hidden_layer_has_a_gate(grouped: GroupedNetwork) -> None:
    """Put a Gate node behind every hidden activation (Chain does)."""
    seen: set[str] = set()

    def gate(layer: str, group: Group, tensor: torch.Tensor) -> torch.Tensor:
        seen.add(layer)
        return tensor

    with torch.no_grad():
        grouped(images(grouped.architecture.input_shape), gate=gate)
    for layer in grouped.hidden_layers:
        assert layer in seen, f"layer '{layer}' has no gate"


def test_units_masked_and_units_cut_out_are_the_same(grouped: GroupedNetwork) -> None:
    """Let nothing come between a unit and its gate that makes something of a zero."""
    batch = images(grouped.architecture.input_shape)
    # The first unit of every group stays, so that whatever reads the group still can.
    keep = {key: torch.arange(units) % 2 == 0 for key, units in unit_keys(grouped)}

    def mask(layer: str, group: Group, tensor: torch.Tensor) -> torch.Tensor:
        return tensor * keep[layer, group].view(1, -1, *[1] * (tensor.ndim - 2))

    with torch.no_grad():
        masked, sliced = grouped(batch, gate=mask), remove(grouped, keep).eval()(batch)
    apart = max(float((masked[task] - sliced[task]).abs().max()) for task in masked)
    assert apart <= TOLERANCE, f"masked and sliced outputs differ by {apart:.2g}"


@pytest.mark.parametrize("tasks", ["A", "A&B", "A&B&C"])
def test_operations_are_counted_alike(grouped: GroupedNetwork, tasks: str) -> None:
    """Use the nodes of pam.networks, whose operations are known."""
    by_widths = analytic_macs(grouped, tasks)
    by_fvcore = macs(grouped.subnetwork(tasks), grouped.architecture.input_shape)
    assert by_fvcore == by_widths, f"{tasks}: fvcore {by_fvcore}, from widths {by_widths}"


def test_the_file_of_a_network_is_read_back(grouped: GroupedNetwork, tmp_path: Path) -> None:
    """See what its options must hold."""
    check_file(grouped, tmp_path)


def test_too_small_images_are_refused_with_a_shape_error(subject: Subject) -> None:
    """Leave sizes to Architecture, which refuses maps of no positions."""
    tiny = (subject.input_shape[0], 1, 1)
    try:
        network = build(subject.name, tiny, 1, **subject.options)
    except ShapeError:
        return
    with torch.no_grad():
        network.eval()(images(tiny))


def test_unknown_options_are_refused(subject: Subject) -> None:
    """Name every option in the signature, or raise ConfigError for the rest."""
    check_refused(lambda **more: run(subject, **more))


def test_the_workflow_finds_its_code(subject: Subject) -> None:
    """Write the name as text, @register("mine"), in a module that the entry point names."""
    code_hash("pam.stages.train", {"pam.networks": subject.name})
