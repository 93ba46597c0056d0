"""Layer Hessians: the uncentred second moments of what a layer reads.

The error of a layer's pre-activations is exactly quadratic in the layer's weights, and its Hessian
is the same block for every unit: the second moment of the inputs, a constant 1 for the bias
included (He, Zhou and Thiele, "Multi-Task Zipping via Layer-wise Neuron Sharing", NeurIPS 2018,
equations 1-7). Only forward passes are needed.

A Hessian is held as a factor ``F`` with ``H = weight * F^T F``. Distances measured through ``F``
are exactly zero between equal units, and where there are fewer samples than inputs the samples
themselves are the factor, so that wide fully connected layers need no square matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from pam.data import MultitaskDataset
from pam.errors import DataError
from pam.groups import reads
from pam.networks import Group, GroupedNetwork
from pam.networks.architecture import IMAGE, Conv, Weighted

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
    network: GroupedNetwork,
    node: Weighted,
    data: MultitaskDataset,
    images: Tensor,
    units: Sequence[int],
) -> Hessian:
    """Return the Hessian of weight 1 for what a weighted node reads from some of its inputs.

    Args:
        network: the network as merged so far; the node's layer still has exclusive groups only.
        node: reads the image or a hidden layer.
        data: knows how to normalise the images.
        images: uint8 (samples, channels, height, width).
        units: the inputs, as for :func:`node_inputs`.

    Raises:
        DataError: if an input of the node is NaN or infinite.
    """
    positions = network.architecture.signals[node.name].positions
    dimension = len(units) * network.architecture.taps(node) + 1
    n_rows = len(images) * positions
    per_image = positions * dimension * torch.float64.itemsize
    size = min(256, max(1, CHUNK_BYTES // per_image))

    def rows_of(chunk: Tensor) -> Tensor:
        inputs = node_inputs(network, node, data.normalise(chunk), units)
        if not bool(inputs.isfinite().all()):
            raise DataError(f"the inputs of layer '{node.layer}' hold NaN or infinity")
        return input_rows(node, inputs)

    chunks = map(rows_of, images.split(size))
    if n_rows <= dimension:
        return Hessian(torch.cat(list(chunks)) / sqrt(n_rows))
    gram = torch.zeros(dimension, dimension, dtype=torch.float64, device=images.device)
    for rows in chunks:
        gram.addmm_(rows.T, rows)
    gram /= n_rows
    gram.diagonal().add_(RELATIVE_SHIFT * gram.trace())
    return Hessian(torch.linalg.cholesky(gram, upper=True))


def input_rows(node: Weighted, inputs: Tensor) -> Tensor:
    """Return what one unit of a node sees, as rows to be multiplied by its weights and bias.

    Args:
        node: a convolution (its zero padding and stride are applied) or a fully connected layer.
        inputs: float (samples, units, height, width), or (samples, inputs) if fully connected.

    Returns:
        float64 (samples * positions, inputs + 1): unit by unit, each unit's taps together as in
        the weights of an ``Assembly``, then a constant 1.
    """
    read = inputs[:, None]
    if isinstance(node, Conv):
        patches = F.unfold(inputs, node.kernel, padding=node.padding, stride=node.stride)
        read = patches.transpose(1, 2)
    samples, positions, units = read.shape
    rows = read.new_ones(samples, positions, units + 1, dtype=torch.float64)
    # One copy that transposes and converts: these are the largest matrices of a merge.
    rows[:, :, :-1] = read
    return rows.flatten(0, 1)


class _Reached(Exception):
    """Ends a forward pass at the node whose inputs are wanted."""

    def __init__(self, inputs: Tensor) -> None:
        self.inputs = inputs


def node_inputs(
    network: GroupedNetwork, node: Weighted, images: Tensor, units: Sequence[int]
) -> Tensor:
    """Return what a weighted node reads from some of its inputs.

    Args:
        network: the node's layer has no units shared by all tasks yet.
        node: where to stop.
        images: normalised float images.
        units: positions, in the layer that the node reads, of the units wanted, in the order
            wanted; the first group of the node's layer must read them.

    Returns:
        float (samples, units, height, width), or (samples, inputs) for a fully connected node.
    """
    reader = next(iter(network.widths[node.layer]))

    def stop(_: torch.nn.Module, arguments: tuple[Tensor]) -> None:
        raise _Reached(arguments[0])

    block = network.blocks[node.name][network.block_name(reader)]
    hook = block.register_forward_pre_hook(stop)
    try:
        with torch.inference_mode():
            network(images, tasks=reader)
    except _Reached as reached:
        inputs = reached.inputs
    finally:
        hook.remove()
    column = {unit: i for i, unit in enumerate(_read_by(network, node, reader))}
    columns = [column[unit] for unit in units]
    if isinstance(node, Conv):
        return inputs[:, columns]
    return inputs.unflatten(1, (len(column), -1))[:, columns].flatten(1)


def _read_by(network: GroupedNetwork, node: Weighted, reader: Group) -> list[int]:
    """Return the positions, in the layer that a node reads, of the units that a group reads."""
    source = network.architecture.source_layer(node)
    if source == IMAGE:
        return list(range(network.architecture.input_shape[0]))
    groups = [group for group, units in network.widths[source].items() for _ in range(units)]
    return [unit for unit, group in enumerate(groups) if reads(reader, group)]
