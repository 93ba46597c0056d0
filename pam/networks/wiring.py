"""Which groups the outputs of some tasks depend on, by the one wiring rule."""

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
