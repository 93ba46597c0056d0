"""What two tasks' networks share once merged, against what their labels know of each other.

He et al., KDD 2021, relate a set of labels to further sets with less and less in common and merge
each pair without retraining: the closer two tasks, the more units should be shared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from pam.data import MultitaskDataset
from pam.information import mutual_information
from pam.merging.activations import sample_index
from pam.networks import GroupedNetwork

NOISE_VARIANCE = 0.1
LABEL_SAMPLES = 2048


@dataclass(frozen=True)
class LayerShare:
    """Where the units of two networks went in one layer.

    Attributes:
        layer: its name.
        neurons: units of both networks together, before merging.
        shared: units of the group of both tasks.
        exclusive_a, exclusive_b: units of the groups of only the first and only the second task.
        removed: units that are in no group; where a merger joins two units into one, such as
            ``mtz``, one of the two.
    """

    layer: str
    neurons: int
    shared: int
    exclusive_a: int
    exclusive_b: int
    removed: int


def task_view(data: MultitaskDataset, tasks: Mapping[str, str]) -> MultitaskDataset:
    """Return the same images with some of the tasks, under other names.

    Args:
        data: the data set.
        tasks: new name -> the task of ``data`` whose labels it has; two names may share them.
    """
    return replace(data, tasks={name: data.tasks[task] for name, task in tasks.items()})


def name_again(task: str, data: MultitaskDataset) -> str:
    """Return a name for a second network of a task that no task of the data set has."""
    name = f"{task}_again"
    while name in data.tasks:
        name += "_again"
    return name


def label_information(data: MultitaskDataset, task_a: str, task_b: str) -> float:
    """Return what the labels of one task tell about those of another, in nats.

    It is the estimate of :func:`pam.information.mutual_information` with the ±1 labels of the
    first task in place of activations, on at most 2,048 training images, the same ones for every
    pair and seed.

    Args:
        data: the data set of both tasks.
        task_a: the task whose labels stand for activations.
        task_b: the task that is told about.
    """
    index = sample_index(data, LABEL_SAMPLES, seed=0)
    x, y = (data.task_labels(data.train, task)[index] for task in (task_a, task_b))
    return mutual_information(x.to(torch.float64), y, NOISE_VARIANCE)


def layer_shares(network: GroupedNetwork, before: Mapping[str, int]) -> list[LayerShare]:
    """Count the units of every group of a network of two tasks.

    Args:
        network: the merged network; its first task is A.
        before: hidden layer -> units of both single-task networks together.
    """
    first, second = (frozenset([task]) for task in network.tasks)
    shares = []
    for layer in network.hidden_layers:
        widths = network.widths[layer]
        shared, a, b = (widths.get(group, 0) for group in (first | second, first, second))
        removed = before[layer] - shared - a - b
        shares.append(LayerShare(layer, before[layer], shared, a, b, removed))
    return shares


def units_before(*networks: GroupedNetwork) -> dict[str, int]:
    """Return hidden layer -> units of several networks of one architecture together."""
    layers = networks[0].hidden_layers
    return {layer: sum(sum(n.widths[layer].values()) for n in networks) for layer in layers}
