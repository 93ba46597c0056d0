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
            needed = _read(groups.get(architecture.source_layer(node), ()), needed)
        for source in node.sources:
            wanted[source] |= needed
    return wanted


def alive(
    architecture: Architecture, groups: Groups, tasks: Iterable[str]
) -> dict[str, set[Group]]:
    """Return layer -> the groups on which, through any path, an output of ``tasks`` depends.

    A group of a residual stage that is alive keeps all that any of its nodes reads.
    """
    wanted: dict[str, set[Group]] = {layer: set() for layer in architecture.layers}
    wanted[architecture.output] = {frozenset([task]) for task in tasks}
    before = -1
    while before != (before := sum(map(len, wanted.values()))):
        for node in reversed(architecture.weighted.values()):
            source = architecture.source_layer(node)
            if source != IMAGE:
                wanted[source] |= _read(groups[source], wanted[node.layer])
    return wanted


def _read(sources: Iterable[Group], readers: Collection[Group]) -> set[Group]:
    return {source for source in sources if any(reads(reader, source) for reader in readers)}
