"""Layer Hessians: the uncentred second moments of what a layer reads.

The error of a layer's pre-activations is exactly quadratic in the layer's weights, and its Hessian
is the same block for every unit: the second moment of the inputs, a constant 1 for the bias
included (He, Zhou and Thiele, "Multi-Task Zipping via Layer-wise Neuron Sharing", NeurIPS 2018,
equations 1-7). Only forward passes are needed.

A Hessian is held as a factor ``F`` with ``H = weight * F^T F``. Distances measured through ``F``
are exactly zero between equal units, and where there are fewer samples than inputs the samples
themselves are the factor, so that wide fully connected layers need no square matrix.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from pam.data import MultitaskDataset
from pam.errors import DataError
from pam.networks import GroupedNetwork
from pam.networks.architecture import Conv, Weighted

RELATIVE_SHIFT = 1e-12
"""Share of a Gram matrix' trace added to its diagonal: above rounding, so that the Cholesky factor
of a singular matrix (dead inputs) exists, and far below anything that decides a pair."""

CHUNK_BYTES = 2**26
"""Largest matrix of input rows held at a time."""


@dataclass(frozen=True)
class Hessian:
    """One task's share of the second moment of a layer's inputs: ``weight * factor^T factor``.

    Attributes:
        factor: float64 (rows, inputs + 1), the last column belonging to the bias.
        weight: of the task, positive (the papers' alpha).
    """

    factor: Tensor
    weight: float = 1.0

    @cached_property
    def scaled_factor(self) -> Tensor:
        """The factor with the weight in it, ``H = S^T S``: float64 (rows, inputs + 1)."""
        return self.factor * sqrt(self.weight)

    @property
    def matrix(self) -> Tensor:
        """The Hessian itself, float64 (inputs + 1, inputs + 1)."""
        return self.scaled_factor.T @ self.scaled_factor

    def weighted(self, weight: float) -> "Hessian":
        """Return the Hessian of the same inputs for a task of another weight."""
        return Hessian(self.factor, weight)

    def __add__(self, other: "Hessian") -> "Hessian":
        weight = self.weight + other.weight
        if self.factor is other.factor:
            return Hessian(self.factor, weight)
        rows = torch.cat([self.scaled_factor, other.scaled_factor])
        return Hessian(rows / sqrt(weight), weight)


def layer_hessian(
    network: GroupedNetwork, node: Weighted, data: MultitaskDataset, images: Tensor
) -> Hessian:
    """Return the Hessian of weight 1 for what a weighted node reads from shared units.

    Args:
        network: the network as merged so far; the node's layer still has exclusive groups only.
        node: reads the image or a layer with units shared by all tasks.
        data: knows how to normalise the images.
        images: uint8 (samples, channels, height, width).

    Raises:
        DataError: if an input of the node is NaN or infinite.
    """
    positions = network.architecture.signals[node.name].positions
    dimension = shared_inputs(network, node) * network.architecture.taps(node) + 1
    n_rows = len(images) * positions
    per_image = positions * dimension * torch.float64.itemsize
    size = min(256, max(1, CHUNK_BYTES // per_image))
    chunks = _input_rows(network, node, data, images, size)
    if n_rows <= dimension:
        return Hessian(torch.cat(list(chunks)) / sqrt(n_rows))
    gram = torch.zeros(dimension, dimension, dtype=torch.float64, device=images.device)
    for rows in chunks:
        gram.addmm_(rows.T, rows)
    return Hessian(_triangular_factor(gram / n_rows))


def shared_inputs(network: GroupedNetwork, node: Weighted) -> int:
    """Return how many units a group shared by all tasks reads at a weighted node."""
    return sum(network.sources(node, frozenset(network.tasks)).values())


def input_rows(node: Weighted, inputs: Tensor) -> Tensor:
    """Return what one unit of a node sees, as rows to be multiplied by its weights and bias.

    Args:
        node: a convolution (its zero padding and stride are applied) or a fully connected layer.
        inputs: float (samples, units, height, width), or (samples, inputs) if fully connected.

    Returns:
        float64 (samples * positions, inputs + 1): unit by unit, each unit's taps together as in
        the weights of an ``Assembly``, then a constant 1.
    """
    rows = inputs.double()
    if isinstance(node, Conv):
        patches = F.unfold(rows, node.kernel, padding=node.padding, stride=node.stride)
        rows = patches.transpose(1, 2).flatten(0, 1)
    return torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)


def _input_rows(
    network: GroupedNetwork, node: Weighted, data: MultitaskDataset, images: Tensor, size: int
) -> Iterator[Tensor]:
    for chunk in images.split(size):
        inputs = node_inputs(network, node, data.normalise(chunk))
        if not bool(inputs.isfinite().all()):
            raise DataError(f"the inputs of layer '{node.layer}' hold NaN or infinity")
        yield input_rows(node, inputs)


class _Reached(Exception):
    """Ends a forward pass at the node whose inputs are wanted."""

    def __init__(self, inputs: Tensor) -> None:
        self.inputs = inputs


def node_inputs(network: GroupedNetwork, node: Weighted, images: Tensor) -> Tensor:
    """Return what a weighted node reads from the units shared by all tasks (or the image).

    Args:
        network: the node's layer has no units shared by all tasks yet.
        node: where to stop.
        images: normalised float images.

    Returns:
        float (samples, units, height, width), or (samples, inputs) for a fully connected node.
    """
    reader = next(iter(network.widths[node.layer]))

    def stop(_: torch.nn.Module, arguments: tuple[Tensor]) -> None:
        raise _Reached(arguments[0])

    block = network.blocks[node.name][network.group_name(reader)]
    hook = block.register_forward_pre_hook(stop)
    try:
        with torch.inference_mode():
            network(images, tasks=reader)
    except _Reached as reached:
        inputs = reached.inputs
    finally:
        hook.remove()
    # A reader sees its sources in canonical order: the group of all tasks comes last.
    taps = 1 if isinstance(node, Conv) else network.architecture.taps(node)
    return inputs[:, inputs.shape[1] - shared_inputs(network, node) * taps :]


def _triangular_factor(matrix: Tensor) -> Tensor:
    """Return the upper Cholesky factor of a positive semi-definite matrix."""
    matrix.diagonal().add_(RELATIVE_SHIFT * matrix.trace())
    return torch.linalg.cholesky(matrix, upper=True)
