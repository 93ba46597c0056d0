"""What a combination of tasks costs, from the widths of its groups alone.

All counts walk the same links: a group of a weighted node, the inputs it reads, the units it makes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import index

from pam.errors import ConfigError, ShapeError
from pam.groups import SHARED, Group, parse_combination, reads, runs
from pam.networks import Architecture, GroupedNetwork, Widths
from pam.networks import architecture as build_architecture
from pam.networks.architecture import IMAGE, AveragePool, Norm, Weighted
from pam.networks.wiring import executed

WidthTable = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Link:
    """One group of one weighted node that runs.

    Attributes:
        inputs: weights of one unit: units read, times kernel (or flattened map) positions.
        units: units made.
        positions: map positions at which each unit is computed, before pooling; 1 if fully
            connected.
        bias: whether each unit adds a bias.
    """

    inputs: int
    units: int
    positions: int
    bias: bool = True

    @property
    def weights(self) -> int:
        """Weights without biases."""
        return self.inputs * self.units

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations."""
        return self.weights * self.positions

    @property
    def paper_flops(self) -> int:
        """Multiplications and additions; biases are not counted, and nothing read costs nothing."""
        return max(2 * self.inputs - 1, 0) * self.units * self.positions


def links(architecture: Architecture, widths: Widths, tasks: Iterable[str]) -> Iterator[Link]:
    """Yield the links of all groups that meet ``tasks``, the paper's rule of what is run."""
    running = tuple(tasks)
    for node in architecture.weighted.values():
        for group in widths[node.layer]:
            if runs(group, running):
                yield _link(architecture, widths, node, group)


def _link(architecture: Architecture, widths: Widths, node: Weighted, group: Group) -> Link:
    source = architecture.source_layer(node)
    read = (
        architecture.input_shape[0]
        if source == IMAGE
        else sum(n for other, n in widths[source].items() if reads(group, other))
    )
    positions = architecture.signals[node.name].positions
    return Link(read * architecture.taps(node), widths[node.layer][group], positions, node.bias)


def _needed(network: GroupedNetwork, tasks: str | Iterable[str]) -> dict[str, set[Group]]:
    """Return node -> groups that the outputs of a checked combination depend on."""
    combination = parse_combination(tasks, list(network.tasks))
    return executed(network.architecture, network.widths, combination)


def _executed_links(network: GroupedNetwork, needed: Mapping[str, set[Group]]) -> Iterator[Link]:
    architecture = network.architecture
    for node in architecture.weighted.values():
        for group in needed[node.name]:
            yield _link(architecture, network.widths, node, group)


def paper_flops(network: GroupedNetwork, tasks: str | Iterable[str]) -> int:
    """Return the FLOPs of running ``tasks``, in the convention of He et al. (KDD 2021).

    A k x k convolution of n_in inputs and n_out outputs on an H x W map (before pooling) costs
    ``(2 k^2 n_in - 1) H W n_out``, a fully connected layer ``(2 n_in - 1) n_out``; biases,
    activations, pooling, normalisation and additions cost nothing. Every convolution of a
    residual network counts, those of the shortcuts included. All groups that meet ``tasks`` run.

    Raises:
        ConfigError: if the combination is empty or names an unknown task.
    """
    return sum(link.paper_flops for link in _links_of_network(network, tasks))


def analytic_macs(network: GroupedNetwork, tasks: str | Iterable[str]) -> int:
    """Return the operations of running ``tasks`` as fvcore counts them, from the widths alone.

    Multiply-accumulates ``k^2 n_in H W n_out`` of what the outputs depend on, two operations per
    value for a batch normalisation and one for average pooling.

    Raises:
        ConfigError: if the combination is empty or names an unknown task.
    """
    architecture = network.architecture
    needed = _needed(network, tasks)
    total = sum(link.macs for link in _executed_links(network, needed))
    for node in architecture.nodes:
        if isinstance(node, Norm | AveragePool):
            source = architecture.signals[node.sources[0]]
            units = sum(network.widths[source.layer][group] for group in needed[node.name])
            total += (2 if isinstance(node, Norm) else 1) * units * source.positions
    return total


def parameters(network: GroupedNetwork, tasks: str | Iterable[str]) -> int:
    """Return the number of trained values that running ``tasks`` needs.

    Weights and biases, and weight and bias of batch normalisations.

    Raises:
        ConfigError: if the combination is empty or names an unknown task.
    """
    needed = _needed(network, tasks)
    total = sum(link.weights + link.bias * link.units for link in _executed_links(network, needed))
    for name in network.architecture.norms:
        widths = network.widths[network.architecture.signals[name].layer]
        total += 2 * sum(widths[group] for group in needed[name])
    return total


def paper_flops_of_widths(
    architecture: str | Architecture,
    widths: WidthTable,
    tasks: str | Iterable[str],
    input_shape: tuple[int, int, int],
) -> int:
    """Return :func:`paper_flops` from a table of widths, without a network.

    Args:
        architecture: a registered name, or an architecture made for ``input_shape``.
        widths: layer -> group name -> units, for every layer, the output layer included
            (``{"A": 5, "B": 5}``). A group is named by its tasks, ``"A"`` or ``"A&C"``;
            ``"shared"`` is the group of all tasks of the network, also of those that the table
            leaves out (the table may be that of one combination).
        tasks: the combination that runs, ``"A&B"`` or task names; any name will do if the table
            has only shared groups.
        input_shape: (channels, height, width).

    Raises:
        ConfigError: for an unknown architecture or task, an empty combination, a missing or
            unknown layer, or a width that is not a whole number of at least 0.
        ShapeError: for an impossible input shape, or one the architecture is not made for.
    """
    return sum(
        link.paper_flops for link in _links_of_table(architecture, widths, tasks, input_shape)
    )


def paper_parameters_of_widths(
    architecture: str | Architecture,
    widths: WidthTable,
    tasks: str | Iterable[str],
    input_shape: tuple[int, int, int],
) -> int:
    """Return the parameters as He et al. count them (weights, no biases) from a table of widths.

    Arguments and errors are those of :func:`paper_flops_of_widths`.
    """
    table = _links_of_table(architecture, widths, tasks, input_shape)
    return sum(link.weights for link in table)


def _links_of_network(network: GroupedNetwork, tasks: str | Iterable[str]) -> Iterator[Link]:
    combination = parse_combination(tasks, list(network.tasks))
    return links(network.architecture, network.widths, combination)


def _links_of_table(
    architecture: str | Architecture,
    widths: WidthTable,
    tasks: str | Iterable[str],
    input_shape: tuple[int, int, int],
) -> Iterator[Link]:
    if isinstance(architecture, str):
        architecture = build_architecture(architecture, input_shape)
    elif architecture.input_shape != tuple(input_shape):
        raise ShapeError(
            f"'{architecture.name}' is made for images of {architecture.input_shape}, "
            f"not {tuple(input_shape)}"
        )
    asked = tasks.split("&") if isinstance(tasks, str) else list(tasks)
    named = {name for groups in widths.values() for name in groups} - {SHARED}
    # A table without any task's name is that of an all-shared network, which every task runs.
    known = sorted(
        {task for name in named for task in name.split("&")} or set(asked) - {"", SHARED}
    )
    table = _parse_table(architecture, widths, known)
    return links(architecture, table, parse_combination(asked, known))


def _parse_table(architecture: Architecture, widths: WidthTable, tasks: list[str]) -> Widths:
    for layer in [*architecture.layers, *widths]:
        if layer not in widths or layer not in architecture.layers:
            said = "lacks" if layer not in widths else "has an unknown"
            raise ConfigError(
                f"the width table {said} layer '{layer}'; the layers of '{architecture.name}' "
                f"are {', '.join(architecture.layers)}"
            )
    table: Widths = {layer: {} for layer in architecture.layers}
    for layer, groups in widths.items():
        for name, units in groups.items():
            # The extra member keeps the shared group apart from a group that names every task
            # of the table: the network may have tasks that the table leaves out.
            group = frozenset([*tasks, SHARED] if name == SHARED else name.split("&"))
            table[layer][group] = table[layer].get(group, 0) + _width(layer, name, units)
    return table


def _width(layer: str, group: str, units: object) -> int:
    try:
        width = index(units)  # type: ignore[arg-type]
    except TypeError:
        width = -1
    if width < 0:
        raise ConfigError(
            f"the width of group '{group}' in layer '{layer}' must be a whole number of at least "
            f"0, not {units!r}"
        )
    return width
