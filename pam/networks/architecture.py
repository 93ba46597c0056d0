"""An architecture as data: nodes in the order they run, written once for any grouping."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pam.errors import ShapeError

IMAGE = "image"


@dataclass(frozen=True)
class Signal:
    """What a node puts out: the units of ``layer`` on a ``height`` x ``width`` map."""

    layer: str
    height: int
    width: int

    @property
    def positions(self) -> int:
        """Values per unit."""
        return self.height * self.width

    def windows(self, size: int, stride: int, padding: int) -> "Signal":
        """Return one value per unit and square window over the map."""
        height, width = (
            (side + 2 * padding - size) // stride + 1 for side in (self.height, self.width)
        )
        return Signal(self.layer, height, width)


@dataclass(frozen=True)
class Node:
    """One operation: ``name`` is unique, ``sources`` are the names of the nodes it reads."""

    name: str
    sources: tuple[str, ...]

    def signal(self, source: Signal) -> Signal:
        """Return what the node puts out if its first source puts out ``source``."""
        return source

    def apply(self, x: Tensor) -> Tensor:
        """Return what the node computes of the tensor of one group.

        Raises:
            TypeError: for a node that works on more than one tensor, or by a module.
        """
        raise TypeError(f"no operation for node {self!r}")


@dataclass(frozen=True)
class Weighted(Node):
    """A node that mixes units, and so knows the wiring rule; it makes the units of ``layer``.

    It has no bias where a ``Norm`` follows.
    """

    layer: str
    units: int
    bias: bool = field(default=True, kw_only=True)

    def module(self, inputs: int, units: int, taps: int) -> nn.Module:
        """Return what computes one group.

        Args:
            inputs: units that the group reads.
            units: units of the group.
            taps: weights between an input unit and a unit.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Conv(Weighted):
    """A two-dimensional convolution with zero padding."""

    kernel: int
    stride: int = 1
    padding: int = 0

    def signal(self, source: Signal) -> Signal:
        return replace(source.windows(self.kernel, self.stride, self.padding), layer=self.layer)

    def module(self, inputs: int, units: int, taps: int) -> nn.Module:
        conv = nn.Conv2d(inputs, units, self.kernel, self.stride, self.padding, bias=self.bias)
        # Maps then flow channels-last, which pools and convolves faster on a CPU.
        return conv.to(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Linear(Weighted):
    """A fully connected layer; a unit of its source counts once per spatial position."""

    def signal(self, source: Signal) -> Signal:
        return Signal(self.layer, 1, 1)

    def module(self, inputs: int, units: int, taps: int) -> nn.Module:
        return nn.Linear(inputs * taps, units, bias=self.bias)


@dataclass(frozen=True)
class Output(Linear):
    """The fully connected output layer: one group of units per task (``units`` is not used)."""


@dataclass(frozen=True)
class Norm(Node):
    """Batch normalisation: every unit on its own, so a group's units need no other group."""


@dataclass(frozen=True)
class Add(Node):
    """The sum of two branches that make the same layer, unit by unit (a residual connection)."""


@dataclass(frozen=True)
class Relu(Node):
    """max(x, 0)."""

    def apply(self, x: Tensor) -> Tensor:
        return F.relu(x)


@dataclass(frozen=True)
class Tanh(Node):
    """The output activation: scores in (-1, 1), the sign is the predicted label."""

    def apply(self, x: Tensor) -> Tensor:
        return torch.tanh(x)


@dataclass(frozen=True)
class Gate(Node):
    """Where a pruner may scale the units of a layer: before pooling and before additions."""


@dataclass(frozen=True)
class MaxPool(Node):
    """Max-pooling over windows of ``size`` x ``size``; what does not fill a window is cut off."""

    size: int
    stride: int
    padding: int = 0

    def signal(self, source: Signal) -> Signal:
        return source.windows(self.size, self.stride, self.padding)

    def apply(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.size, self.stride, self.padding)


@dataclass(frozen=True)
class AveragePool(Node):
    """The mean of a unit over all positions of its map."""

    def signal(self, source: Signal) -> Signal:
        return Signal(source.layer, 1, 1)


@dataclass(frozen=True)
class Flatten(Node):
    """(units, height, width) -> units * height * width, row-major, inside each group."""

    def apply(self, x: Tensor) -> Tensor:
        return torch.flatten(x, 1)


@dataclass(frozen=True)
class Architecture:
    """A network without weights, widths apart: nodes in topological order.

    Attributes:
        name: registered name.
        input_shape: (channels, height, width) of an image.
        nodes: the operations; the last one is the output activation.
        options: of the registered function, so that a file can name them.
        gain: variance of the initial weights times their fan-in; 2 keeps the variance of signals
            through ReLUs (He et al., ICCV 2015), 1 is the PAM authors' choice.
    """

    name: str
    input_shape: tuple[int, int, int]
    nodes: tuple[Node, ...]
    options: dict[str, Any] = field(default_factory=dict)
    gain: float = 1.0

    @cached_property
    def weighted(self) -> dict[str, Weighted]:
        """The nodes that hold weights, by name, in order."""
        return {node.name: node for node in self.nodes if isinstance(node, Weighted)}

    @cached_property
    def norms(self) -> dict[str, Norm]:
        """The batch normalisations, by name, in order."""
        return {node.name: node for node in self.nodes if isinstance(node, Norm)}

    @cached_property
    def norm_after(self) -> dict[str, str]:
        """Weighted node -> the batch normalisation that reads it, where there is one."""
        return {norm.sources[0]: name for name, norm in self.norms.items()}

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers in order of their first node, the output layer last."""
        return tuple(dict.fromkeys(node.layer for node in self.weighted.values()))

    @property
    def output(self) -> str:
        """Name of the output layer."""
        return self.layers[-1]

    @property
    def hidden_layers(self) -> tuple[str, ...]:
        """Names of all layers but the output layer."""
        return self.layers[:-1]

    @cached_property
    def units(self) -> dict[str, int]:
        """Units of every hidden layer of a single-task network."""
        return {n.layer: n.units for n in self.weighted.values() if n.layer != self.output}

    @cached_property
    def signals(self) -> dict[str, Signal]:
        """The signal that every node puts out, and that of the image."""
        _, height, width = self.input_shape
        signals = {IMAGE: Signal(IMAGE, height, width)}
        for node in self.nodes:
            signal = node.signal(signals[node.sources[0]])
            if any(signals[source] != signals[node.sources[0]] for source in node.sources):
                raise ShapeError(f"'{self.name}': the branches of '{node.name}' do not fit")
            if signal.positions < 1:
                raise ShapeError(
                    f"images of {height} x {width} are too small for '{self.name}': "
                    f"nothing is left after '{node.name}'"
                )
            signals[node.name] = signal
        return signals

    def source_layer(self, node: Weighted) -> str:
        """Name of the layer that a weighted node reads (``"image"`` for the first)."""
        return self.signals[node.sources[0]].layer

    def taps(self, node: Weighted) -> int:
        """Weights between one input unit and one output unit of a weighted node."""
        if isinstance(node, Conv):
            return node.kernel**2
        return self.signals[node.sources[0]].positions

    def activation(self, layer: str) -> str:
        """Return the node that puts out a hidden layer's activations: its last ReLU."""
        nodes = [node for node in self.nodes if self.signals[node.name].layer == layer]
        return ([node.name for node in nodes if isinstance(node, Relu)] or [nodes[0].name])[-1]

    def positions(self, layer: str) -> int:
        """Spatial positions of a layer's activations (before pooling)."""
        return self.signals[self.activation(layer)].positions

    @cached_property
    def is_chain(self) -> bool:
        """Whether every layer is made once: no additions, so layers follow one another."""
        return len(self.weighted) == len(self.layers)

    def kind(self, layer: str) -> str:
        """``"conv"`` or ``"fc"``."""
        node = next(node for node in self.weighted.values() if node.layer == layer)
        return "conv" if isinstance(node, Conv) else "fc"

    def describe(self) -> dict[str, Any]:
        """Return what a file needs to rebuild it: name, input shape and options."""
        return {"name": self.name, "input_shape": self.input_shape, "options": self.options}


def check_input_shape(input_shape: object) -> tuple[int, int, int]:
    """Return ``input_shape`` as (channels, height, width).

    Raises:
        ShapeError: if it is not three positive whole numbers.
    """
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    whole = all(isinstance(side, Real) and side >= 1 and side % 1 == 0 for side in shape)
    if len(shape) != 3 or not whole:
        raise ShapeError(f"an input shape is (channels, height, width), not {input_shape!r}")
    channels, height, width = (int(side) for side in shape)
    return channels, height, width
