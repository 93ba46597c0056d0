"""One trunk per task: how the PAM authors' code merges residual networks, and what it executes.

In their code only the first convolution of a block is regrouped. The channels that flow through
the additions of a stage stay one trunk per task; a shared channel of a first convolution reads the
shared channels of all trunks, an exclusive one those and its task's own. So a task alone needs
parts of the other tasks' trunks, and whatever those parts need. Here every unit gets the group of
all tasks that need it: a combination then executes, and is charged with, exactly that.
"""

from typing import NamedTuple

from pam.merging.assigning import Groups
from pam.networks import Architecture, Assembly, Group
from pam.networks.architecture import IMAGE, Add, Output, Weighted


class Kind(NamedTuple):
    """Units of a layer that read, and are read, alike.

    Attributes:
        layer: its name.
        origin: the task whose network they came from, as a group.
        relevance: the group by what they know; None for a channel that first convolutions do
            not read.
    """

    layer: str
    origin: Group
    relevance: Group | None


def separate_trunks(assembly: Assembly, groups: Groups) -> Groups:
    """Return the groups of all units if trunks stay apart: the tasks that need each unit.

    Args:
        assembly: the networks side by side, every unit still in the group of its own task.
        groups: layer -> per unit the group by its relevance, None if it is removed; removed
            channels of a trunk are not read by first convolutions but stay in the trunk.
    """
    kinds = {
        layer: [
            Kind(layer, origin, relevance)
            for origin, relevance in zip(assembly.groups[layer], labels, strict=True)
        ]
        for layer, labels in groups.items()
    }
    needed = {task: _needed(assembly.architecture, kinds, task) for task in assembly.tasks}
    return {
        layer: [
            frozenset(task for task in assembly.tasks if kind in needed[task]) or None
            for kind in units
        ]
        for layer, units in kinds.items()
    }


def _needed(architecture: Architecture, kinds: dict[str, list[Kind]], task: str) -> set[Kind]:
    """Return the kinds of units on which the output of a task depends."""
    trunks = {
        architecture.signals[node.name].layer
        for node in architecture.nodes
        if isinstance(node, Add)
    }
    only: Group = frozenset([task])
    waiting = [Kind(architecture.output, only, only)]
    needed: set[Kind] = set()
    while waiting:
        kind = waiting.pop()
        if kind in needed:
            continue
        needed.add(kind)
        for node in architecture.weighted.values():
            source = architecture.source_layer(node)
            if node.layer == kind.layer and source != IMAGE:
                waiting += [s for s in set(kinds[source]) if _reads(node, kind, s, trunks)]
    return needed


def _reads(node: Weighted, reader: Kind, source: Kind, trunks: set[str]) -> bool:
    """Tell whether a unit reads another at a node by the authors' rule."""
    if reader.layer in trunks and source.layer not in trunks:
        # A second convolution: exclusive channels of its own task, and the shared ones.
        return source.relevance is not None and reader.origin <= source.relevance
    if source.layer in trunks and reader.layer not in trunks and not isinstance(node, Output):
        both_count = reader.relevance is not None and source.relevance is not None
        return both_count and reader.relevance <= source.relevance
    return reader.origin == source.origin
