"""What depends on what: groups by the one wiring rule, and layers by who reads whom."""

from collections.abc import Collection, Iterable, Mapping

from pam.groups import Group, reads
from pam.networks.architecture import IMAGE, Architecture, Weighted

Groups = Mapping[str, Collection[Group]]
"""Layer -> its groups."""


def executed(
    architecture: Architecture, groups: Groups, tasks: Iterable[str]
) -> dict[str, set[Group]]:
    """Return node -> the groups that it has to compute for the outputs of ``tasks``.

    Args:
        architecture: of the network.
        groups: groups of every layer, the output layer included.
        tasks: the tasks that run.
    """
    wanted: dict[str, set[Group]] = {node.name: set() for node in architecture.nodes}
    wanted[IMAGE] = set()
    wanted[architecture.nodes[-1].name] = {frozenset([task]) for task in tasks}
    for node in reversed(architecture.nodes):
        needed = wanted[node.name]
        if isinstance(node, Weighted):
            read = groups.get(architecture.source_layer(node), ())
            needed = {group for group in read if any(reads(reader, group) for reader in needed)}
        for source in node.sources:
            wanted[source] |= needed
    return wanted


def layer_steps(architecture: Architecture) -> list[tuple[str, ...]]:
    """Return the hidden layers in steps, such that a step reads itself and earlier steps only.

    Layers that read one another, through however many others, are one step: the channels of a
    residual stage and the blocks that read and extend them. A chain has one layer per step.
    """
    needs: dict[str, set[str]] = {layer: {layer} for layer in architecture.hidden_layers}
    size = -1
    while size != (size := sum(map(len, needs.values()))):
        for node in architecture.weighted.values():
            if node.layer in needs:
                needs[node.layer] |= needs.get(architecture.source_layer(node), set())
    steps: dict[frozenset[str], list[str]] = {}
    for layer, needed in needs.items():
        steps.setdefault(frozenset(needed), []).append(layer)
    # What a step reads needs fewer layers than the step itself.
    return [tuple(steps[needed]) for needed in sorted(steps, key=len)]
