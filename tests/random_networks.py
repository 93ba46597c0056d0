"""Random grouped networks for property tests: any tasks, any groups, any order of the units."""

import torch
from hypothesis import Phase
from hypothesis import strategies as st
from torch import nn

from pam.groups import all_combinations
from pam.networks import Assembly, GroupedNetwork, architecture
from pam.networks.architecture import IMAGE

TASKS = ("A", "B", "C", "D")
LAYERS = ("c1", "c2", "f3", "f4")
# Shrinking a deep network takes minutes and shows no more.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
OUTPUTS = {"A": 2, "B": 1, "C": 3, "D": 1}


def all_groups(tasks):
    """Every non-empty set of tasks."""
    return [frozenset(combination) for combination in all_combinations(tasks)]


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
def larger_shapes(draw):
    """Images that every architecture takes."""
    return draw(st.integers(1, 3)), draw(st.integers(32, 40)), draw(st.integers(32, 40))


def lenets():
    """Random LeNets."""
    return input_shapes().map(lambda shape: architecture("lenet5", shape))


@st.composite
def residual_architectures(draw, names=("resnet18",)):
    """Random residual networks with either stem, on images that leave odd and even maps."""
    if draw(st.booleans()):
        shape = draw(input_shapes())
        return architecture(draw(st.sampled_from(names)), shape, stem="small")
    return architecture(draw(st.sampled_from(names)), draw(larger_shapes()))


def chains_and_residual():
    """LeNets, and a residual network in every fifth example."""
    return st.integers(0, 4).flatmap(lambda i: lenets() if i else residual_architectures())


def architectures_named(name):
    """Random architectures of one registered name."""
    if name == "lenet5":
        return lenets()
    if name.startswith("resnet"):
        return residual_architectures((name,))
    return larger_shapes().map(lambda shape: architecture(name, shape))


@st.composite
def unit_groups(draw, made, tasks):
    """The group of every unit of every layer, such that every group has an input at every node.

    A group that a source layer cannot feed gets a unit there that it reads; in a residual stage
    that unit may lack inputs in turn, so this goes on until all are fed.
    """
    groups = all_groups(list(tasks))
    layers = {
        layer: draw(st.lists(st.sampled_from(groups), max_size=4)) for layer in made.hidden_layers
    }
    layers[made.output] = [frozenset([task]) for task, count in tasks.items() for _ in range(count)]
    hungry = True
    while hungry:
        hungry = False
        for node in reversed(made.weighted.values()):
            source = made.source_layer(node)
            if source == IMAGE:
                continue
            for reader in sorted(set(layers[node.layer]), key=sorted):
                if not any(reader <= unit for unit in layers[source]):
                    supersets = [group for group in groups if reader <= group]
                    at = draw(st.integers(0, len(layers[source])))
                    layers[source].insert(at, draw(st.sampled_from(supersets)))
                    hungry = True
    return layers


@st.composite
def assemblies(draw, largest=4, made=None):
    """Random assemblies, of LeNets by default: units in any order, no weights where no wire is.

    ``made`` is a strategy of architectures.
    """
    tasks = draw(task_counts(largest))
    made = draw(lenets() if made is None else made)
    groups = draw(unit_groups(made, tasks))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    weights, biases, norms = {}, {}, {}
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
        if node.bias:
            biases[node.name] = torch.randn(len(rows), generator=generator) / 4
    for name in made.norms:
        units = len(groups[made.signals[name].layer])
        gain = 0.5 + torch.rand(units, generator=generator)
        sign = torch.where(torch.rand(units, generator=generator) < 0.8, 1.0, -1.0)
        bias = torch.randn(units, generator=generator) / 2
        norms[name] = torch.stack([sign * gain, bias, torch.zeros(units), torch.ones(units)])
    return lively(Assembly(made, tasks, groups, weights, biases, norms))


def lively(assembly):
    """The same units and wires, scaled so that signals neither die out nor grow with depth.

    Units are centred and scaled by what they do on random images. Otherwise the scores of a deep
    network hardly depend on the image, and comparing them shows nothing.
    """
    network = assembly.network().eval()

    def standardise(module, inputs, output):
        mean, deviation = statistics(output)
        module.weight /= deviation.reshape(-1, *[1] * (module.weight.ndim - 1))
        module.bias += 0.4 * deviation - mean
        module.bias /= deviation
        return per_unit(1 / deviation, output) * (output - per_unit(mean, output)) + 0.4

    def observe(module, inputs):
        mean, deviation = statistics(inputs[0])
        module.running_mean.copy_(mean)
        module.running_var.copy_(deviation**2)

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(observe)
        elif getattr(module, "bias", None) is not None:
            module.register_forward_hook(standardise)
    with torch.no_grad():
        network(images_for(network, 8, seed=1))
    scaled = Assembly.of(network)
    for layer, groups in assembly.groups.items():
        sorted_units = sorted(range(len(groups)), key=lambda i: network_order(network, groups[i]))
        scaled = scaled.take(layer, [sorted_units.index(unit) for unit in range(len(groups))])
    return scaled


def network_order(network, group):
    """The place of a group among all groups of a network: fewer tasks first, then by name."""
    return len(group), sorted(map(list(network.tasks).index, group))


def per_unit(values, tensor):
    """Values (units,) in the shape that scales a tensor (samples, units, ...)."""
    return values.reshape(1, -1, *[1] * (tensor.ndim - 2))


def statistics(tensor):
    """Mean and deviation (at least a tenth) of every unit over samples and positions."""
    units = tensor.transpose(0, 1).flatten(1)
    return units.mean(1), units.std(1).clamp_min(0.1)


@st.composite
def networks(draw, largest=4, made=None):
    """Random grouped networks in evaluation mode; some of their units may serve nothing."""
    return draw(assemblies(largest, made)).network().eval()


@st.composite
def networks_in_full_use(draw, largest=4, made=None):
    """Random networks whose layers all have the same groups: every unit that runs is needed."""
    tasks = draw(task_counts(largest))
    exclusive = [frozenset([task]) for task in tasks]
    others = [group for group in all_groups(list(tasks)) if len(group) > 1]
    groups = exclusive + draw(st.lists(st.sampled_from(others), unique=True, max_size=4))
    made = draw(lenets() if made is None else made)
    widths = {layer: {g: draw(st.integers(1, 4)) for g in groups} for layer in made.hidden_layers}
    return GroupedNetwork(made, tasks, widths)


def scores_side_by_side(network, images):
    """The scores of all tasks, float64: normalisations may amplify float32's rounding."""
    with torch.no_grad():
        return torch.cat(list(network.double()(images.double()).values()), dim=1)


def tensors_of(network):
    """All that evaluation depends on: everything but the counter of batches."""
    state = network.state_dict()
    return {name: tensor for name, tensor in state.items() if not name.endswith("_tracked")}


def assert_same_bits(left, right):
    assert left.widths == right.widths
    ours, theirs = tensors_of(left), tensors_of(right)
    assert list(ours) == list(theirs)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def images_for(network, samples=3, seed=0):
    """Random normalised images, float32 (samples, channels, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, *network.architecture.input_shape, generator=generator)
