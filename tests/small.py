"""Data and networks small enough that a step of training takes a millisecond."""

import torch

from pam.conformance.subject import SHAPE, WIDTHS, noisy_squares, same_network, with_biases
from pam.data import MultitaskDataset
from pam.groups import SHARED
from pam.networks import Assembly, build

LAYERS = ("c1", "c2", "f3", "f4")
VGG_CONVOLUTIONS = (
    *("c1_1", "c1_2", "c2_1", "c2_2", "c3_1", "c3_2", "c3_3"),
    *("c4_1", "c4_2", "c4_3", "c5_1", "c5_2", "c5_3"),
)
TASKS = {"A": [0, 1], "B": [2], "C": [1, 3, 4]}
STILL = {"stages": []}
SHORT = {"stages": [{"epochs": 1, "learning_rate": 0.05}], "batch_size": 16}
same_bits = same_network


def make_data(samples=64, tasks="AB", seed=11, **columns):
    """Coarse bright and dark squares with noise.

    ``columns`` replaces the label columns of single tasks, e.g. ``B=[0, 1]``.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = [noisy_squares(n, generator) for n in (samples, 32, 32)]
    names = [f"label {column}" for column in range(5)]
    picked = {task: columns.get(task, TASKS[task]) for task in tasks}
    return MultitaskDataset("squares", *parts, picked, names, [0.5], [0.3])


def make_network(task="A", seed=0, outputs=None, widths=WIDTHS):
    """A single-task network with random weights and random biases."""
    outputs = len(TASKS[task]) if outputs is None else outputs
    network = build("lenet5", SHAPE, outputs, task=task, seed=seed, widths=widths)
    return with_biases(network, seed + 1000)


def make_networks(tasks="AB", widths=WIDTHS):
    """Task -> a network of its own."""
    return {task: make_network(task, seed, widths=widths) for seed, task in enumerate(tasks)}


def side_by_side(networks):
    """One network that holds several, nothing shared."""
    return Assembly.unite([Assembly.of(network) for network in networks.values()]).network()


def share_some(networks):
    """Every second unit of every layer shared by all tasks, the others exclusive."""
    assembly = Assembly.unite([Assembly.of(network) for network in networks.values()])
    everyone = frozenset(networks)
    for layer in assembly.architecture.hidden_layers:
        groups = assembly.groups[layer]
        mixed = [everyone if unit % 2 else group for unit, group in enumerate(groups)]
        assembly = assembly.regroup({layer: mixed})
    return assembly.network()


def shuffled(network, seed=0):
    """The same function with the hidden units in another order, and layer -> that order."""
    generator = torch.Generator().manual_seed(seed)
    assembly, order = Assembly.of(network), {}
    for layer in network.hidden_layers:
        order[layer] = torch.randperm(len(assembly.groups[layer]), generator=generator)
        assembly = assembly.take(layer, order[layer])
    return assembly.network(), order


def copies(network, tasks, seed=0):
    """The network under several names, the hidden units of every copy in an order of its own."""
    return {
        task: shuffled(network.for_task(task), seed + place)[0] for place, task in enumerate(tasks)
    }


def same_labels(tasks):
    """Data of tasks that all have the labels of task A."""
    return make_data(tasks=tasks, **dict.fromkeys(tasks, TASKS["A"]))


def images_of(data):
    """The normalised test images."""
    return data.normalise(data.test.images)


def scores_of(network, images):
    """Task -> scores, without gradients."""
    with torch.no_grad():
        return network(images)


def own_part(network, task):
    """The part of a network that runs for one task that shares nothing."""
    return Assembly.of(network).restrict([task]).network()


def total_units(network, group=None):
    """Hidden units, of one group name if given."""
    names = [g for layer in network.hidden_layers for g in network.groups()[layer].items()]
    return sum(units for name, units in names if group in (None, name))


def shared_units(network):
    """Hidden units that all tasks use."""
    return total_units(network, SHARED)
