"""Residual networks (He et al., CVPR 2016) in torchvision's topology, at any width."""

from typing import Literal

from pam.networks.architecture import (
    IMAGE,
    Add,
    Architecture,
    AveragePool,
    Conv,
    Flatten,
    Gate,
    MaxPool,
    Node,
    Norm,
    Output,
    Relu,
    Tanh,
)
from pam.networks.registry import register
from pam.ranges import Positive

STAGE_CHANNELS = (64, 128, 256, 512)
Stem = Literal["imagenet", "small"]


@register(
    "resnet18",
    title="ResNet-18",
    paper="He et al., CVPR 2016",
    layers="s1 s1_1 s1_2 s2 s2_1 s2_2 s3 s3_1 s3_2 s4 s4_1 s4_2",
)
def resnet18(
    input_shape: tuple[int, int, int], width: Positive = 1.0, stem: Stem = "imagenet"
) -> Architecture:
    """Residual network of 2, 2, 2 and 2 basic blocks; see :func:`residual_network`.

    Args:
        input_shape: (channels, height, width).
        width: multiplier of the channels, rounded, at least 1 channel.
        stem: ``"imagenet"``, 7 x 7 with stride 2 and max-pooling, or ``"small"``, 3 x 3 with
            stride 1, as usual for images of 32 x 32.
    """
    return residual_network("resnet18", (2, 2, 2, 2), input_shape, width, stem)


@register(
    "resnet34",
    title="ResNet-34",
    paper="He et al., CVPR 2016",
    layers="s1 s1_1 s1_2 s1_3 s2 s2_1 s2_2 s2_3 s2_4 s3 s3_1 s3_2 s3_3 "
    "s3_4 s3_5 s3_6 s4 s4_1 s4_2 s4_3",
)
def resnet34(
    input_shape: tuple[int, int, int], width: Positive = 1.0, stem: Stem = "imagenet"
) -> Architecture:
    """Residual network of 3, 4, 6 and 3 basic blocks; see :func:`residual_network`.

    Args:
        input_shape: (channels, height, width).
        width: multiplier of the channels, rounded, at least 1 channel.
        stem: ``"imagenet"`` or ``"small"``, as :func:`resnet18`.
    """
    return residual_network("resnet34", (3, 4, 6, 3), input_shape, width, stem)


def residual_network(
    name: str, depths: tuple[int, ...], input_shape: tuple[int, int, int], width: float, stem: Stem
) -> Architecture:
    """Return a stem, four stages of basic blocks, average pooling and the output layer.

    The channels that flow through the additions of stage ``k`` are the layer ``s{k}`` (the stem
    makes those of the first), the first convolution of block ``b`` makes the layer ``s{k}_{b}``.
    So a channel has one group in its whole stage. Every convolution is followed by batch
    normalisation and then by a gate, which a pruner can fold into the normalisation.

    Args:
        name: of the architecture.
        depths: blocks per stage.
        input_shape: (channels, height, width).
        width: multiplier of the channels, rounded, at least 1 channel.
        stem: as :func:`resnet18`.
    """
    net = _Residual()
    channels = [max(1, round(units * width)) for units in STAGE_CHANNELS]
    kernel, stride = (7, 2) if stem == "imagenet" else (3, 1)
    x = net.conv("s1_stem", IMAGE, "s1", channels[0], kernel, stride)
    x = net.relu("s1_stem", x)
    if stem == "imagenet":
        x = net.add(MaxPool("pool", (x,), size=3, stride=2, padding=1))
    for stage, (depth, units) in enumerate(zip(depths, channels, strict=True), start=1):
        for block in range(1, depth + 1):
            first = stage > 1 and block == 1
            x = net.block(x, stage, block, units, stride=2 if first else 1, projects=first)
    x = net.add(AveragePool("average", (x,)))
    x = net.add(Flatten("flatten", (x,)))
    x = net.add(Output("fc", (x,), layer="fc", units=0))
    net.add(Tanh("fc_tanh", (x,)))
    options = {"width": width, "stem": stem}
    return Architecture(name, input_shape, tuple(net.nodes), options, gain=2.0)


class _Residual:
    """Collects nodes; every method returns the name of the last node it added."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(self, node: Node) -> str:
        self.nodes.append(node)
        return node.name

    def relu(self, name: str, source: str) -> str:
        return self.add(Relu(f"{name}_relu", (source,)))

    def conv(self, name: str, source: str, layer: str, units: int, kernel: int, stride: int) -> str:
        """Convolution without bias that halves or keeps the map, batch normalisation, gate."""
        conv = self.add(
            Conv(
                name,
                (source,),
                layer=layer,
                units=units,
                kernel=kernel,
                stride=stride,
                padding=kernel // 2,
                bias=False,
            )
        )
        return self.add(Gate(f"{name}_gate", (self.add(Norm(f"{name}_norm", (conv,))),)))

    def block(
        self, source: str, stage: int, block: int, units: int, *, stride: int, projects: bool
    ) -> str:
        """A basic block: two 3 x 3 convolutions, added to the input or to its projection."""
        name, trunk = f"s{stage}_{block}", f"s{stage}"
        kept = source
        if projects:
            kept = self.conv(f"{name}_shortcut", source, trunk, units, kernel=1, stride=stride)
        x = self.conv(f"{name}_a", source, name, units, kernel=3, stride=stride)
        x = self.relu(f"{name}_a", x)
        x = self.conv(f"{name}_b", x, trunk, units, kernel=3, stride=1)
        return self.relu(name, self.add(Add(f"{name}_add", (kept, x))))
