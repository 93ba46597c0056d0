"""What a unit of a group costs: in the combinations of tasks that run it, and in FLOPs."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pam.groups import Group, all_combinations, reads, runs
from pam.networks import GroupedNetwork
from pam.networks.wiring import executed


def executed_share(group: Group, tasks: int) -> float:
    """Return the share of all combinations of tasks that run a group.

    ``(2^N - 2^(N - k)) / (2^N - 1)`` for a group of ``k`` of ``N`` tasks.
    """
    return (2**tasks - 2 ** (tasks - len(group))) / (2**tasks - 1)


def edge_weight(
    edge: tuple[str, Group, Group], tasks: int, leaving: float, settled: float
) -> float:
    """Return what an open gate costs: 1 for a reader of all tasks.

    It is the share of all combinations of tasks that run the reader, times a discount: closing a
    gate of a unit that has others saves only a part of it, and a unit that serves no other task
    should find it cheaper to stay than one that others share.

    Args:
        edge: a layer, the group of its unit, and the group that reads it through the gate.
        tasks: how many there are.
        leaving: discount of a reader of fewer tasks than its unit.
        settled: discount of a reader of as many, if these are not all.
    """
    _, group, reader = edge
    discount = 1.0 if len(reader) == tasks else settled if reader == group else leaving
    return discount * executed_share(reader, tasks)


def flops_of_combinations(
    network: GroupedNetwork, groups: Mapping[str, Sequence[Group]]
) -> list[int]:
    """Return the FLOPs of every combination of tasks, in the convention of He et al. (KDD 2021).

    Args:
        network: gives the operations and the tasks.
        groups: layer -> the group of each unit, the output layer included; the empty group is
            that of no unit.

    Returns:
        For every combination two numbers: of all groups that meet it, and of those that its
        outputs depend on.
    """
    architecture = network.architecture
    widths = {layer: Counter(filter(None, labels)) for layer, labels in groups.items()}
    spent: dict[tuple[str, Group], int] = {}
    for node in architecture.weighted.values():
        source = widths.get(architecture.source_layer(node))
        for group, units in widths[node.layer].items():
            read = (
                architecture.input_shape[0]
                if source is None
                else sum(n for other, n in source.items() if reads(group, other))
            )
            per_unit = max(2 * architecture.taps(node) * read - 1, 0)
            spent[node.name, group] = per_unit * units * architecture.signals[node.name].positions
    costs = []
    for combination in all_combinations(list(network.tasks)):
        needed = executed(architecture, widths, combination)
        costs.append(sum(flops for (_, g), flops in spent.items() if runs(g, combination)))
        costs.append(sum(flops for (node, g), flops in spent.items() if g in needed[node]))
    return costs
