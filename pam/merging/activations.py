"""What mergers look at: one value per unit and sample, all networks on the same images."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pam.data import MultitaskDataset
from pam.errors import DataError
from pam.networks import Group, GroupedNetwork
from pam.seeds import derive_seed


def sample_index(data: MultitaskDataset, samples: int, seed: int) -> Tensor:
    """Return distinct indices of the training part, drawn with a seed, sorted: at most ``samples``.

    All are returned if there are fewer: a configuration that asks for more than there are has
    been refused before, so this is a default.
    """
    generator = torch.Generator().manual_seed(derive_seed("merge samples", seed))
    return torch.randperm(len(data.train), generator=generator)[:samples].sort().values


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


def standardised(activations: Tensor) -> Tensor:
    """Return activations divided by each unit's standard deviation; constant units become 0.

    Args:
        activations: float (samples, units).
    """
    centred = activations.double() - activations.double().mean(0)
    deviation = centred.square().mean(0).sqrt()
    constant = deviation <= 1e-12 * activations.double().abs().amax(0).clamp_min(1e-300)
    return torch.where(constant, 0.0, activations.double() / deviation.clamp_min(1e-300))


def task_labels(
    data: MultitaskDataset, index: Tensor, tasks: Mapping[str, object]
) -> dict[str, Tensor]:
    """Return task -> int8 labels (samples, labels of the task) of training samples."""
    return {task: data.task_labels(data.train, task)[index] for task in tasks}
