"""Where the units of a group stand in their layer."""

from collections.abc import Set

from pam.networks import GroupedNetwork


def units_of(network: GroupedNetwork, layer: str, tasks: Set[str]) -> range:
    """Return the units of the group of some tasks, counted in their layer; empty if there is none.

    The count follows the canonical order of groups, as the columns of
    :func:`pam.merging.activations.collect` do.
    """
    first = 0
    for group, units in network.widths[layer].items():
        if group == tasks:
            return range(first, first + units)
        first += units
    return range(0)
