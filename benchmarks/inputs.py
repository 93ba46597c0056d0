"""What benchmarks compute with: random images, and the plain modules that others would write."""

import copy

import torch
from torch import nn

from pam.data import MultitaskDataset, Split
from pam.networks import Assembly, GroupedNetwork, SingleTaskNetwork, build
from pam.networks.architecture import Flatten, Gate, MaxPool, Node, Relu, Tanh, Weighted

Shape = tuple[int, int, int]


def noise(samples: int, shape: Shape, labels: int = 1, held_out: int = 2) -> MultitaskDataset:
    """Return random images with two tasks of some random labels each.

    Args:
        samples: of the training part.
        shape: (channels, height, width).
        labels: of a task.
        held_out: samples of the validation and of the test part.
    """
    generator = torch.Generator().manual_seed(0)

    def split(n: int) -> Split:
        images = torch.randint(0, 256, (n, *shape), generator=generator, dtype=torch.uint8)
        signs = torch.randint(0, 2, (n, 2 * labels), generator=generator) * 2 - 1
        return Split(images, signs.to(torch.int8))

    columns = list(range(2 * labels))
    return MultitaskDataset(
        "noise",
        split(samples),
        split(held_out),
        split(held_out),
        {"A": columns[:labels], "B": columns[labels:]},
        [f"label {column}" for column in columns],
        [0.5] * shape[0],
        [0.3] * shape[0],
    )


def partly_shared(
    architecture: str, shape: Shape, labels: int, tasks: str, every: int
) -> GroupedNetwork:
    """Return networks of several tasks side by side, every so many-th unit shared by all tasks.

    Args:
        architecture: its registered name.
        shape: (channels, height, width) of the images.
        labels: of a task.
        tasks: a letter each.
        every: distance of two shared units in a hidden layer; 0: none is shared.
    """
    networks = [build(architecture, shape, labels, task=t, seed=i) for i, t in enumerate(tasks)]
    assembly = Assembly.unite([Assembly.of(network) for network in networks])
    for layer in assembly.architecture.hidden_layers if every else ():
        groups = list(assembly.groups[layer])
        groups[::every] = [frozenset(tasks)] * len(groups[::every])
        assembly = assembly.regroup({layer: groups})
    return assembly.network()


def plain_module(network: SingleTaskNetwork) -> nn.Sequential:
    """Return a network of one task without branches as people write it, with its own weights.

    Layers keep their names; scores come as a tensor (samples, outputs).
    """
    modules = nn.Sequential()
    for node in network.architecture.nodes:
        if not isinstance(node, Gate):
            modules.add_module(node.name, _plain(network, node))
    return modules.to(memory_format=torch.contiguous_format)


def _plain(network: SingleTaskNetwork, node: Node) -> nn.Module:
    match node:
        case Weighted():
            return copy.deepcopy(network.blocks[node.name][network.task])
        case Relu():
            return nn.ReLU()
        case Tanh():
            return nn.Tanh()
        case MaxPool():
            return nn.MaxPool2d(node.size, node.stride, node.padding)
        case Flatten():
            return nn.Flatten()
    raise TypeError(f"no plain module for node {node!r}")
