"""Units that move between groups while a network is pruned: one gate per unit and reader.

A unit of a group is read by the groups of the next layer that are subsets of it. If only some of
them still need it, it belongs to the tasks of these alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pam.errors import ConfigError
from pam.groups import Group, reads, sorted_groups
from pam.networks import Architecture, Assembly, GroupedNetwork
from pam.networks.architecture import IMAGE, Weighted
from pam.pruning.reader_costs import flops_of_combinations

Edge = tuple[str, Group, Group]
"""A hidden layer, a group of its units, and a group of the next layer that reads it."""
PerEdge = dict[Edge, Tensor]
"""A value per unit of the group that is read, (units,)."""
UnitGroups = dict[str, list[Group]]
"""Layer -> the group of each of its units; the empty group is that of a unit that goes."""

NOBODY: Group = frozenset()


def check_chain(method: str, architecture: Architecture) -> None:
    """Refuse networks in which a layer is read by several.

    Raises:
        ConfigError: for a residual network.
    """
    if not architecture.is_chain:
        raise ConfigError(
            f"{method} prunes networks whose layers follow one another, not "
            f"'{architecture.name}': the layers of a residual stage read each other, so the units "
            "of none can be the first to leave a group"
        )


def reading(architecture: Architecture) -> dict[str, Weighted]:
    """Return hidden layer -> the weighted node that reads it, in order."""
    nodes = architecture.weighted.values()
    read = {architecture.source_layer(node): node for node in nodes}
    return {layer: node for layer, node in read.items() if layer != IMAGE}


def edge_keys(network: GroupedNetwork) -> Iterator[tuple[Edge, int]]:
    """Yield ((hidden layer, group, reader), units of the group) in canonical order."""
    for layer, node in reading(network.architecture).items():
        for group, units in network.widths[layer].items():
            for reader in network.widths[node.layer]:
                if reads(reader, group):
                    yield (layer, group, reader), units


def table(network: GroupedNetwork, layer: str, values: PerEdge, absent: float) -> Tensor:
    """Return the values of a layer, (units, groups of the next layer).

    Args:
        network: whose units are meant.
        layer: a hidden layer.
        values: of all edges of the layer.
        absent: where a group does not read a unit.
    """
    readers = network.widths[reading(network.architecture)[layer].layer]
    some = next(iter(values.values()))
    rows = []
    for group, units in network.widths[layer].items():
        none = some.new_full((units,), absent)
        columns = [values.get((layer, group, reader), none) for reader in readers]
        rows.append(torch.stack(columns, dim=1))
    return torch.cat(rows)


def wires(network: GroupedNetwork, layer: str, values: Tensor) -> Tensor:
    """Return values of units and readers for every wire.

    Args:
        network: whose units are meant.
        layer: a hidden layer.
        values: (units, groups of the next layer).

    Returns:
        (units of the next layer, units).
    """
    widths = list(network.widths[reading(network.architecture)[layer].layer].values())
    return values.T.repeat_interleave(torch.tensor(widths, device=values.device), dim=0)


@dataclass(frozen=True)
class Moves:
    """Which units of a network leave, and which move to a smaller group.

    Attributes:
        network: before.
        groups: the new group of every unit, the output layer included.
        forced: bool per edge: closed gates that count as open, for a reader would have nothing to
            read else.
    """

    network: GroupedNetwork
    groups: UnitGroups
    forced: PerEdge = field(default_factory=dict)

    def became(self, layer: str) -> dict[Group, set[Group]]:
        """Return old group of a layer -> the groups its remaining units are in now."""
        news: dict[Group, set[Group]] = {group: set() for group in self.network.widths[layer]}
        for old, new in zip(_labels(self.network)[layer], self.groups[layer], strict=True):
            if new:
                news[old].add(new)
        return news

    def readers(self, layer: str) -> list[Group]:
        """Return the groups that read a layer after the moves, in canonical order."""
        after = reading(self.network.architecture)[layer].layer
        return sorted_groups({*self.groups[after]} - {NOBODY}, list(self.network.tasks))

    def per_wire(self, layer: str, values: Tensor) -> Tensor:
        """Return for every wire the value of its gate after the moves.

        Args:
            layer: a hidden layer.
            values: (units, new readers).

        Returns:
            (units of the next layer, units), without meaning for what is gone.
        """
        index = {group: i for i, group in enumerate(self.readers(layer))}
        after = reading(self.network.architecture)[layer].layer
        return values.T[[index.get(group, 0) for group in self.groups[after]]]

    def per_edge(self, layer: str, values: Tensor) -> PerEdge:
        """Return values of old units, (units, new readers), for the edges of the new network."""
        units: dict[Group, list[int]] = {}
        for unit, group in enumerate(self.groups[layer]):
            units.setdefault(group, []).append(unit)
        return {
            (layer, group, reader): values[members, column]
            for group, members in units.items()
            for column, reader in enumerate(self.readers(layer))
            if reads(reader, group)
        }

    def apply(self, factors: Mapping[str, Tensor]) -> GroupedNetwork:
        """Return the network after the moves, in evaluation mode.

        Every unit keeps the weights of the wires that it had and may still have; wires that are
        new to it start at zero.

        Args:
            factors: hidden layer -> float (units of the next layer, units), by which the weights
                of the old wires are multiplied.
        """
        assembly = Assembly.of(self.network)
        weights = dict(assembly.weights)
        for layer, node in reading(self.network.architecture).items():
            factor = factors[layer].to(weights[node.name])
            weights[node.name] = weights[node.name] * factor[..., None]
        assembly = replace(assembly, weights=weights)
        labels = {}
        for layer in self.network.hidden_layers:
            index = [unit for unit, group in enumerate(self.groups[layer]) if group]
            labels[layer] = [self.groups[layer][unit] for unit in index]
            assembly = assembly.take(layer, index)
        return assembly.regroup(labels).network()


def scale_readers(network: GroupedNetwork, factors: PerEdge) -> GroupedNetwork:
    """Return a network in which every reader sees a unit multiplied, folded into its weights.

    Args:
        network: is left as it was.
        factors: float per edge.
    """
    return Moves(network, _labels(network)).apply(wire_factors(network, factors))


def wire_factors(network: GroupedNetwork, factors: PerEdge) -> dict[str, Tensor]:
    """Return hidden layer -> a factor for every wire, as :meth:`Moves.apply` takes them."""
    return {
        layer: wires(network, layer, table(network, layer, factors, 1.0))
        for layer in network.hidden_layers
    }


def moves(network: GroupedNetwork, keep: PerEdge, scores: PerEdge) -> Moves:
    """Return what becomes of every unit when some of its readers let go of it.

    From the outputs back to the image: a unit's new group is the union of what the readers that
    keep it have become; without one it goes. Where a group that is left would have nothing to
    read, the best-scored edge that it could read is kept. A unit in a smaller group may read more
    of the layer below, so units of one group that would move to the same group stay if some
    combination of tasks became more expensive by it than it was.

    Args:
        network: a chain of layers.
        keep: bool per edge, whether its gate is open.
        scores: float per edge; ties go to the first unit and reader.
    """
    decided = _decide(network, keep, scores, may_move=True)
    if not _within(decided, flops_of_combinations(network, _labels(network))):
        # What was kept for a reader without input can cost more than was left to spend.
        decided = _decide(network, keep, scores, may_move=False)
    return decided


def _decide(network: GroupedNetwork, keep: PerEdge, scores: PerEdge, may_move: bool) -> Moves:
    old = _labels(network)
    before = flops_of_combinations(network, old)
    result = Moves(network, {layer: list(labels) for layer, labels in old.items()})
    is_open = {layer: table(network, layer, keep, False) for layer in network.hidden_layers}
    for layer, opened in is_open.items():
        stays = opened.any(dim=1).tolist()
        result.groups[layer] = [g if s else NOBODY for g, s in zip(old[layer], stays, strict=True)]
    for layer, node in reversed(reading(network.architecture).items()):
        news = [frozenset().union(*now) for now in result.became(node.layer).values()]
        opened = is_open[layer] | _forced(result, layer, is_open[layer], scores)
        wanted = [
            frozenset().union(*(new for new, is_read in zip(news, row, strict=True) if is_read))
            for row in opened.tolist()
        ]
        result.groups[layer] = [
            group if new else NOBODY for group, new in zip(old[layer], wanted, strict=True)
        ]
        if may_move:
            _move_if_affordable(result, layer, wanted, before)
    return result


def _forced(result: Moves, layer: str, opened: Tensor, scores: PerEdge) -> Tensor:
    """Return which closed gates of a layer have to open for its readers, and note them.

    Args:
        result: holds the new groups of the next layer.
        layer: a hidden layer.
        opened: bool (units, readers).
        scores: float per edge.
    """
    network = result.network
    became = result.became(reading(network.architecture)[layer].layer)
    ranks = table(network, layer, scores, -torch.inf)
    forced = torch.zeros_like(opened)
    left = sorted_groups(set().union(*became.values()), list(network.tasks))
    for needy in reversed(left):
        could = torch.tensor([needy in now for now in became.values()], device=ranks.device)
        if not bool((opened | forced)[:, could].any()):
            best = int(ranks.masked_fill(~could, -torch.inf).argmax())
            forced[best // len(became), best % len(became)] = True
    for column, reader in enumerate(became):
        parts = forced[:, column].split(list(network.widths[layer].values()))
        for group, part in zip(network.widths[layer], parts, strict=True):
            if bool(part.any()):
                result.forced[layer, group, reader] = part
    return forced


def _move_if_affordable(result: Moves, layer: str, wanted: list[Group], before: list[int]) -> None:
    """Move the units of a layer, kind by kind, as long as no combination costs more than before."""
    stays = result.groups[layer]
    result.groups[layer] = wanted
    if _within(result, before):
        return
    result.groups[layer] = stays
    kinds = dict.fromkeys(pair for pair in zip(stays, wanted, strict=True) if pair[0] != pair[1])
    for kind in kinds:
        current = result.groups[layer]
        result.groups[layer] = [
            kind[1] if pair == kind else now
            for now, pair in zip(current, zip(stays, wanted, strict=True), strict=True)
        ]
        if not _within(result, before):
            result.groups[layer] = current


def _labels(network: GroupedNetwork) -> UnitGroups:
    """Return the group of every unit in canonical order."""
    return {
        layer: [group for group, units in widths.items() for _ in range(units)]
        for layer, widths in network.widths.items()
    }


def _within(result: Moves, before: list[int]) -> bool:
    after = flops_of_combinations(result.network, result.groups)
    return all(now <= then for now, then in zip(after, before, strict=True))
