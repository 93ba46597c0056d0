"""What training will take, foreseen from architectures and schedules alone: no data, no weights."""

from collections.abc import Mapping
from dataclasses import dataclass

from pam.cost.analytic import links
from pam.networks import Architecture, Gate, Widths
from pam.training import Schedule

FORWARD_AND_BACKWARD = 3
"""Forward passes that a step of training is worth: the backward pass takes two."""
FLOPS_PER_MAC = 2


@dataclass(frozen=True)
class Machine:
    """How fast one job computes.

    Attributes:
        flops_per_second: sustained in training.
        launch_seconds: least time of an operation of a training step, however small: that of
            its forward and backward pass and of its share of the optimiser's.
    """

    flops_per_second: float
    launch_seconds: float


@dataclass(frozen=True)
class Size:
    """A network, as far as the time of a training step depends on it.

    Attributes:
        macs: multiply-accumulates of one image, forward; the output layers are left out.
        operations: nodes of the architecture that compute, once per group of a layer.
    """

    macs: int
    operations: int


@dataclass(frozen=True)
class Work:
    """What some training takes.

    Attributes:
        flops: additions and multiplications, forward and backward.
        seconds: time of one machine.
    """

    flops: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.flops + other.flops, self.seconds + other.seconds)

    def __mul__(self, times: float) -> "Work":
        return Work(self.flops * times, self.seconds * times)


def single(architecture: Architecture) -> Size:
    """Return the size of a single-task network, and of several zipped into one of its width."""
    operations = sum(not isinstance(node, Gate) for node in architecture.nodes)
    return Size(_macs(architecture, architecture.units), operations)


def side_by_side(architecture: Architecture, tasks: int) -> Size:
    """Return the size of single-task networks that share nothing."""
    one = single(architecture)
    return Size(tasks * one.macs, tasks * one.operations)


def all_shared(architecture: Architecture, tasks: int) -> Size:
    """Return the size of single-task networks whose units all read one another."""
    units = {layer: tasks * width for layer, width in architecture.units.items()}
    return Size(_macs(architecture, units), single(architecture).operations)


def training(size: Size, schedule: Schedule, images: int, machine: Machine) -> Work:
    """Return what training takes, validation left out.

    Args:
        size: of the network.
        schedule: an incomplete last batch of an epoch is dropped.
        images: of the training part.
        machine: a step takes the time of its operations or of its launches, whichever is longer.
    """
    epochs = sum(stage.epochs for stage in schedule.stages)
    steps = epochs * (images // schedule.batch_size)
    flops = FLOPS_PER_MAC * FORWARD_AND_BACKWARD * size.macs * schedule.batch_size
    seconds = max(flops / machine.flops_per_second, size.operations * machine.launch_seconds)
    return Work(flops, seconds) * steps


def _macs(architecture: Architecture, units: Mapping[str, int]) -> int:
    """Return the operations of one group per hidden layer, of so many units."""
    group = frozenset(["all"])
    widths: Widths = {layer: {group: width} for layer, width in units.items()}
    widths[architecture.output] = {}
    return sum(link.macs for link in links(architecture, widths, group))
