"""Random grouped networks for property tests: any tasks, any groups, any order of the units."""

from itertools import chain, combinations

import torch
from hypothesis import strategies as st

from pam.networks import Assembly, GroupedNetwork, architecture

TASKS = ("A", "B", "C", "D")
LAYERS = ("c1", "c2", "f3", "f4")
OUTPUTS = {"A": 2, "B": 1, "C": 3, "D": 1}


def all_groups(tasks):
    """Every non-empty set of tasks."""
    sizes = range(1, len(tasks) + 1)
    return [frozenset(c) for c in chain.from_iterable(combinations(tasks, n) for n in sizes)]


@st.composite
def task_counts(draw, largest=4):
    """Task -> outputs, for 2 to ``largest`` tasks."""
    tasks = TASKS[: draw(st.integers(2, largest))]
    return {task: OUTPUTS[task] for task in tasks}


@st.composite
def input_shapes(draw):
    """Small images of one or two channels, flattened to 1 to 6 positions."""
    return draw(st.integers(1, 2)), draw(st.integers(4, 9)), draw(st.integers(4, 13))


@st.composite
def unit_groups(draw, tasks):
    """The group of every unit of every hidden layer, such that every group has an input.

    Built from the last layer to the first: a group that the layer before cannot feed gets a unit
    there that it reads.
    """
    groups = all_groups(tasks)
    layers = {}
    readers = [frozenset([task]) for task in tasks]
    for layer in reversed(LAYERS):
        units = draw(st.lists(st.sampled_from(groups), max_size=4))
        for reader in sorted(set(readers), key=sorted):
            if not any(reader <= unit for unit in units):
                supersets = [group for group in groups if reader <= group]
                at = draw(st.integers(0, len(units)))
                units.insert(at, draw(st.sampled_from(supersets)))
        layers[layer] = readers = units
    return layers


@st.composite
def assemblies(draw, largest=4):
    """Random assemblies of LeNets: units in any order, weights zero where no wire may be."""
    tasks = draw(task_counts(largest))
    made = architecture("lenet5", draw(input_shapes()))
    groups = draw(unit_groups(list(tasks)))
    groups["f5"] = [frozenset([task]) for task, count in tasks.items() for _ in range(count)]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    weights, biases = {}, {}
    for node in made.weighted.values():
        source = made.source_layer(node)
        inputs = groups.get(source, [frozenset(tasks)] * made.input_shape[0])
        rows = groups[node.layer]
        shape = (len(rows), len(inputs), made.taps(node))
        weight = torch.randn(shape, generator=generator) / (shape[1] * shape[2]) ** 0.5
        for row, reader in enumerate(rows):
            for column, read in enumerate(inputs):
                if not reader.issubset(read):
                    weight[row, column] = 0
        weights[node.name] = weight
        biases[node.name] = torch.randn(len(rows), generator=generator) / 4
    return Assembly(made, tasks, groups, weights, biases)


@st.composite
def networks(draw, largest=4):
    """Random grouped networks; some of their units may serve nothing."""
    return draw(assemblies(largest)).network()


@st.composite
def networks_in_full_use(draw, largest=4):
    """Random networks whose layers all have the same groups: every unit that runs is needed."""
    tasks = draw(task_counts(largest))
    exclusive = [frozenset([task]) for task in tasks]
    others = [group for group in all_groups(list(tasks)) if len(group) > 1]
    groups = exclusive + draw(st.lists(st.sampled_from(others), unique=True, max_size=4))
    widths = {layer: {g: draw(st.integers(1, 4)) for g in groups} for layer in LAYERS}
    return GroupedNetwork(architecture("lenet5", draw(input_shapes())), tasks, widths)


def images_for(network, samples=3, seed=0):
    """Random normalised images, float32 (samples, channels, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, *network.architecture.input_shape, generator=generator)
