"""What is asked of an architecture."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import torch

from pam.conformance.checklist import (
    NAME_OPTIONS,
    WRITE_NAME,
    Checklist,
    ensure,
    ensure_refused,
)
from pam.conformance.examples import MIXED, images, tensors_of, with_biases
from pam.conformance.networks import (
    TOLERANCE,
    ensure_parts_equal_whole,
    ensure_saves_and_loads,
)
from pam.cost import analytic_macs, macs
from pam.errors import ShapeError
from pam.networks import Architecture, Group, GroupedNetwork, SingleTaskNetwork, architecture, build
from pam.provenance import code_hash
from pam.pruning import remove, unit_keys
from pam.training import Schedule, descend, nesterov

OUTPUTS = {"A": 2, "B": 1, "C": 3}


@dataclass(frozen=True)
class ArchitectureCase:
    """An architecture under examination.

    Attributes:
        name: registered name.
        options: passed to it.
        input_shape: (channels, height, width) of the images it is built for.
    """

    name: str
    options: Mapping[str, Any]
    input_shape: tuple[int, int, int]

    @cached_property
    def architecture(self) -> Architecture:
        """The architecture, made once."""
        return architecture(self.name, self.input_shape, **self.options)

    def single(self, task: str, seed: int = 0) -> SingleTaskNetwork:
        """Return a fresh single-task network."""
        network = build(
            self.name, self.input_shape, OUTPUTS[task], task=task, seed=seed, **self.options
        )
        return with_biases(network, seed)

    @cached_property
    def grouped(self) -> GroupedNetwork:
        """Three networks together, in groups of every kind."""
        return MIXED.of({task: self.single(task, seed) for seed, task in enumerate(OUTPUTS)})


ARCHITECTURE: Checklist[ArchitectureCase] = Checklist()
check = ARCHITECTURE.check


@check("take (input_shape, ...) and return Architecture(name, input_shape, nodes, options)")
def makes_an_architecture(case: ArchitectureCase) -> None:
    """It makes an Architecture that carries its registered name."""
    made = case.architecture
    ensure(isinstance(made, Architecture), f"it returns {type(made).__name__}")
    ensure(made.name == case.name, f"the name of what it returns is '{made.name}'")


@check("put every option, defaults included, as plain values into Architecture(options=...)")
def options_make_it_again(case: ArchitectureCase) -> None:
    """Its options make it again, as the file of a network needs."""
    made = case.architecture
    again = architecture(made.name, made.input_shape, **made.options)
    ensure(again.nodes == made.nodes, f"options {made.options} make another architecture")


@check("end with an Output node of units=0 and a Tanh node (Chain.output does both)")
def has_outputs(case: ArchitectureCase) -> None:
    """A single-task network has one output per label, between -1 and 1."""
    batch = images(case.input_shape)
    with torch.no_grad():
        scores = case.single("C").eval()(batch)
    shape = tuple(scores["C"].shape)
    ensure(shape == (len(batch), OUTPUTS["C"]), f"4 images and 3 labels give scores {shape}")
    ensure(float(scores["C"].abs().max()) <= 1, "a score is beyond 1")


@check("connect every node; mind what no gradient passes through")
def trains(case: ArchitectureCase) -> None:
    """A step of training changes it and the loss is finite."""
    network = case.single("A").train()
    before = tensors_of(network)
    labels = {"A": torch.tensor([[1.0, -1.0]] * 4)}
    optimiser = nesterov(network, 0.01, Schedule(()))
    loss = float(descend(network, optimiser, images(case.input_shape), labels))
    ensure(isfinite(loss), f"the loss is {loss}")
    after = tensors_of(network)
    ensure(
        any(not torch.equal(before[name], after[name]) for name in after), "no weight has changed"
    )


@check("leave units to the nodes of pam.networks, which keep groups apart")
def works_in_groups(case: ArchitectureCase) -> None:
    """It works with several tasks in groups of every kind, and every combination runs alone."""
    with torch.no_grad():
        scores = case.grouped(images(case.input_shape))
    ensure(list(scores) == list(OUTPUTS), f"tasks {list(OUTPUTS)} give outputs {list(scores)}")
    ensure_parts_equal_whole(case.grouped)


@check("put a Gate node behind every hidden activation (Chain does)")
def has_gates(case: ArchitectureCase) -> None:
    """A pruner sees every hidden layer."""
    seen: set[str] = set()

    def gate(layer: str, group: Group, tensor: torch.Tensor) -> torch.Tensor:
        seen.add(layer)
        return tensor

    with torch.no_grad():
        case.grouped(images(case.input_shape), gate=gate)
    unseen = [layer for layer in case.architecture.hidden_layers if layer not in seen]
    ensure(not unseen, f"layer '{unseen[0] if unseen else ''}' has no gate")


@check("let nothing come between a unit and its gate that makes something of a zero")
def masked_equals_sliced(case: ArchitectureCase) -> None:
    """Units masked at their gates and units cut out give the same outputs."""
    network, batch = case.grouped, images(case.input_shape)
    # The first unit of every group stays, so that whatever reads the group still can.
    keep = {key: torch.arange(units) % 2 == 0 for key, units in unit_keys(network)}

    def mask(layer: str, group: Group, tensor: torch.Tensor) -> torch.Tensor:
        return tensor * keep[layer, group].view(1, -1, *[1] * (tensor.ndim - 2))

    with torch.no_grad():
        masked, sliced = network(batch, gate=mask), remove(network, keep).eval()(batch)
    apart = max(float((masked[task] - sliced[task]).abs().max()) for task in masked)
    ensure(apart <= TOLERANCE, f"masked and sliced outputs differ by {apart:.2g}")


@check("use the nodes of pam.networks, whose operations are known")
def is_counted(case: ArchitectureCase) -> None:
    """Its operations are counted alike from its widths and by fvcore."""
    one_of_every_size = {len(tasks): tasks for tasks in case.grouped.combinations()}
    for combination in one_of_every_size.values():
        counted = macs(case.grouped.subnetwork(combination), case.input_shape)
        known = analytic_macs(case.grouped, combination)
        ensure(counted == known, f"{'&'.join(combination)}: fvcore {counted}, from widths {known}")


@check("see what its options must hold")
def saves(case: ArchitectureCase) -> None:
    """The file of a network is read back as it was."""
    ensure_saves_and_loads(case.grouped)


@check("leave sizes to Architecture, which refuses maps of no positions")
def refuses_small_images(case: ArchitectureCase) -> None:
    """An image too small for it is refused with a ShapeError (or works)."""
    tiny = (case.input_shape[0], 1, 1)
    try:
        made = build(case.name, tiny, 1, **case.options)
    except ShapeError:
        return
    with torch.no_grad():
        made.eval()(images(tiny))


@check(NAME_OPTIONS)
def refuses_unknown_options(case: ArchitectureCase) -> None:
    """An unknown option is refused with a ConfigError."""
    ensure_refused(lambda **more: architecture(case.name, case.input_shape, **case.options, **more))


@check(WRITE_NAME)
def code_is_found(case: ArchitectureCase) -> None:
    """The workflow finds its code, so that a change of it runs its cells again."""
    code_hash("train", architecture=case.name)
