"""What mergers look at: one value per unit and sample, all networks on the same images."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

import torch
from torch import Tensor

from pam.data import MultitaskDataset
from pam.errors import DataError
from pam.information import DEFAULT_NOISE_VARIANCE, label_entropy, per_unit_information
from pam.networks import Group, GroupedNetwork
from pam.seeds import seeded_generator

_NO_ENTROPY = 1e-12


class Sample(NamedTuple):
    """Some training images and their labels.

    Attributes:
        images: normalised float (samples, channels, height, width).
        labels: task -> ±1 int8 (samples, labels of the task).
    """

    images: Tensor
    labels: dict[str, Tensor]


def draw_sample(
    data: MultitaskDataset, samples: int, seed: int, tasks: Iterable[str] | None = None
) -> Sample:
    """Return training images that :func:`sample_index` draws, with labels of some or all tasks.

    Args:
        data: has the images in ``train``.
        samples: how many; all if there are fewer.
        seed: of the choice.
        tasks: whose labels are wanted; those of all tasks by default.
    """
    index = sample_index(data, samples, seed)
    wanted = data.tasks if tasks is None else tasks
    labels = {task: data.task_labels(data.train, task)[index] for task in wanted}
    return Sample(data.normalise(data.train.images[index]), labels)


def sample_index(data: MultitaskDataset, samples: int, seed: int) -> Tensor:
    """Return distinct indices of the training part, drawn with a seed, sorted: at most ``samples``.

    All are returned if there are fewer: a configuration that asks for more than there are has
    been refused before, so this is a default.
    """
    order = torch.randperm(len(data.train), generator=seeded_generator("merge samples", seed))
    return order[:samples].sort().values


def collect(
    network: GroupedNetwork, images: Tensor, layers: Sequence[str], batch_size: int = 256
) -> dict[str, Tensor]:
    """Return layer -> activations after ReLU and before pooling, float32 (samples, units).

    Channels of a map enter by their maximum over space; units come in canonical group order. The
    activations of a residual stage are those that leave its last block.

    Args:
        network: is put into evaluation mode.
        images: normalised float (samples, channels, height, width).
        layers: the hidden layers wanted.
        batch_size: samples per forward pass.

    Raises:
        DataError: if an activation is NaN or infinite.
    """
    network.eval()
    seen: dict[str, dict[Group, list[Tensor]]] = {layer: {} for layer in layers}
    layer_at = {network.architecture.activation(layer): layer for layer in layers}

    def record(node: str, group: Group, tensor: Tensor) -> None:
        if node in layer_at:
            values = tensor.flatten(2).amax(2) if tensor.ndim > 2 else tensor
            seen[layer_at[node]].setdefault(group, []).append(values)

    with torch.inference_mode():
        for batch in images.split(batch_size):
            network(batch, observe=record)
    gathered = {}
    for layer in layers:
        groups = seen[layer]
        parts = [torch.cat(groups[g]) for g in network.widths[layer]]
        gathered[layer] = torch.cat(parts, dim=1)
        if not bool(gathered[layer].isfinite().all()):
            raise DataError(f"activations of layer '{layer}' hold NaN or infinity")
    return gathered


def second_moments(
    network: GroupedNetwork, data: MultitaskDataset, images: Tensor, batch_size: int = 32
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return hidden layer -> mean of its units, and of the products of every two of them.

    Every position of every image is a sample of a unit's activation after ReLU. Units come in
    canonical group order, float64 (units,) and (units, units), on the CPU.

    Args:
        network: is put into evaluation mode.
        data: gives the normalisation.
        images: uint8 (samples, channels, height, width).
        batch_size: samples per forward pass.

    Raises:
        DataError: if an activation is NaN or infinite.
    """
    network.eval()
    layer_at = {network.architecture.activation(layer): layer for layer in network.hidden_layers}
    waiting: dict[str, list[Tensor]] = {layer: [] for layer in network.hidden_layers}
    sums: dict[str, Tensor] = {}
    products: dict[str, Tensor] = {}
    counts = dict.fromkeys(network.hidden_layers, 0)

    def observe(node: str, group: Group, tensor: Tensor) -> None:
        if node not in layer_at:
            return
        layer = layer_at[node]
        waiting[layer].append(tensor.flatten(2) if tensor.ndim > 2 else tensor[..., None])
        if len(waiting[layer]) == len(network.widths[layer]):
            values = torch.cat(waiting[layer], dim=1).transpose(0, 1).flatten(1).double()
            waiting[layer].clear()
            counts[layer] += values.shape[1]
            sums[layer] = sums.get(layer, 0) + values.sum(dim=1)
            products[layer] = products.get(layer, 0) + values @ values.T

    with torch.inference_mode():
        for some in images.split(batch_size):
            network(data.normalise(some), observe=observe)
    moments = {}
    for layer, count in counts.items():
        moments[layer] = (sums[layer] / count).cpu(), (products[layer] / count).cpu()
        if not bool(moments[layer][1].isfinite().all()):
            raise DataError(f"activations of layer '{layer}' hold NaN or infinity")
    return moments


def standardised(activations: Tensor) -> Tensor:
    """Return activations divided by each unit's standard deviation; constant units become 0.

    Args:
        activations: float (samples, units).
    """
    centred = activations.double() - activations.double().mean(0)
    deviation = centred.square().mean(0).sqrt()
    constant = deviation <= 1e-12 * activations.double().abs().amax(0).clamp_min(1e-300)
    return torch.where(constant, 0.0, activations.double() / deviation.clamp_min(1e-300))


def information_shares(
    activations: Tensor,
    labels: Mapping[str, Tensor],
    noise_variance: float = DEFAULT_NOISE_VARIANCE,
) -> Tensor:
    """Return what every unit alone knows of every task, as a share of the task's label entropy.

    Args:
        activations: float (samples, units).
        labels: task -> ±1 (samples, labels of the task).
        noise_variance: of the estimate, in squared units of the activations.

    Returns:
        float64 (tasks, units).
    """
    return torch.stack(
        [
            per_unit_information(activations, y, noise_variance)
            / max(label_entropy(y), _NO_ENTROPY)
            for y in labels.values()
        ]
    )


def units_of(network: GroupedNetwork, layer: str, tasks: Set[str]) -> range:
    """Return the units of the group of some tasks, counted in their layer; empty if there is none.

    The count follows the canonical order of groups, as the columns of :func:`collect` do.
    """
    first = 0
    for group, units in network.widths[layer].items():
        if group == tasks:
            return range(first, first + units)
        first += units
    return range(0)
