"""What the nodes of an architecture compute: one torch module or function per group."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pam.networks.architecture import (
    Conv,
    Flatten,
    MaxPool,
    Node,
    Relu,
    Tanh,
    Weighted,
)


def weighted_module(node: Weighted, inputs: int, units: int, taps: int) -> nn.Module:
    """Return the module of one group of a weighted node.

    Args:
        node: a convolution or a fully connected layer.
        inputs: units that the group reads.
        units: units that it makes.
        taps: weights between an input unit and a unit.
    """
    if isinstance(node, Conv):
        conv = nn.Conv2d(inputs, units, node.kernel, node.stride, node.padding, bias=node.bias)
        # Maps then flow channels-last, which pools and convolves faster on a CPU.
        return conv.to(memory_format=torch.channels_last)
    return nn.Linear(inputs * taps, units, bias=node.bias)


def apply(node: Node, x: Tensor) -> Tensor:
    """Apply a node that has no block to the tensor of one group.

    Raises:
        TypeError: for a node that works on more than one tensor, or by a block.
    """
    match node:
        case Relu():
            return F.relu(x)
        case Tanh():
            return torch.tanh(x)
        case MaxPool():
            return F.max_pool2d(x, node.size, node.stride, node.padding)
        case Flatten():
            return torch.flatten(x, 1)
    raise TypeError(f"no operation for node {node!r}")
