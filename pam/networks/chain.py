"""Architectures without branches, as lists of blocks: the LeNet and VGG families."""

from pam.networks.architecture import (
    IMAGE,
    Conv,
    Flatten,
    Gate,
    Linear,
    MaxPool,
    Node,
    Output,
    Relu,
    Tanh,
)


class Chain:
    """Collects the nodes of a network in which every node reads the one before."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []

    def _add(self, make: type[Node], name: str, **attributes: object) -> None:
        source = self._nodes[-1].name if self._nodes else IMAGE
        self._nodes.append(make(name=name, sources=(source,), **attributes))  # type: ignore[arg-type]

    def _activate(self, layer: str) -> None:
        self._add(Relu, f"{layer}_relu")
        self._add(Gate, f"{layer}_gate")

    def conv(self, layer: str, units: int, kernel: int) -> None:
        """Convolution that keeps the map's size, ReLU, gate."""
        self._add(Conv, layer, layer=layer, units=units, kernel=kernel, padding=kernel // 2)
        self._activate(layer)

    def pool(self, name: str) -> None:
        """2 x 2 max-pooling."""
        self._add(MaxPool, name, size=2, stride=2)

    def flatten(self) -> None:
        """From maps to vectors."""
        self._add(Flatten, "flatten")

    def linear(self, layer: str, units: int) -> None:
        """Fully connected layer, ReLU, gate."""
        self._add(Linear, layer, layer=layer, units=units)
        self._activate(layer)

    def output(self, layer: str) -> None:
        """Fully connected output layer, tanh."""
        self._add(Output, layer, layer=layer, units=0)
        self._add(Tanh, f"{layer}_tanh")

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes so far, in order."""
        return tuple(self._nodes)
