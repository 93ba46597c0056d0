"""Surgery on networks: all units of a layer side by side, with their complete weight matrices.

A :class:`GroupedNetwork` stores only the weights its wiring rule allows. To move units between
groups, to put networks together or to cut units out, it is easier to hold every layer as one list
of units, each with its group, and one full matrix of weights (zero where nothing is wired).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from pam.errors import ShapeError
from pam.groups import Group, Widths, runs
from pam.networks.architecture import IMAGE, Architecture, Weighted
from pam.networks.grouped import GroupedNetwork

_NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Assembly:
    """A grouped network laid out as units.

    Attributes:
        architecture: the operations.
        tasks: task name -> number of outputs.
        groups: layer -> the group of each of its units, in order (output layer included).
        weights: weighted node -> float (units out, units in, taps); a tap is a kernel position,
            or a spatial position of a flattened map.
        biases: weighted node that has a bias -> float (units out,).
        norms: batch normalisation -> float (4, units): weight, bias, running mean and variance.
    """

    architecture: Architecture
    tasks: dict[str, int]
    groups: dict[str, list[Group]]
    weights: dict[str, Tensor]
    biases: dict[str, Tensor]
    norms: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, network: GroupedNetwork) -> "Assembly":
        """Lay out a network; its units come in the canonical order of its groups."""
        architecture = network.architecture
        groups = {
            layer: [group for group, units in widths.items() for _ in range(units)]
            for layer, widths in network.widths.items()
        }
        assembly = cls(architecture, dict(network.tasks), groups, {}, {}, {})
        for node in architecture.weighted.values():
            source = assembly.source_groups(node)
            blocks = network.blocks[node.name]
            device = next(blocks.parameters()).device
            taps = architecture.taps(node)
            weight = torch.zeros(len(groups[node.layer]), len(source), taps, device=device)
            for group in network.widths[node.layer]:
                rows = _positions(groups[node.layer], [group])
                columns = _positions(source, network.sources(node, group))
                block = blocks[network.block_name(group)]
                kernel = block.weight.detach().reshape(len(rows), len(columns), taps)
                weight[rows[:, None], columns[None, :]] = kernel
            assembly.weights[node.name] = weight
            if node.bias:
                assembly.biases[node.name] = _side_by_side(blocks, "bias")
        for name in architecture.norms:
            vectors = [_side_by_side(network.blocks[name], kind) for kind in _NORM]
            assembly.norms[name] = torch.stack(vectors)
        return assembly

    def network(self) -> GroupedNetwork:
        """Build the grouped network, in evaluation mode; weights without a wire are left out.

        Raises:
            CollapseError: if a group, or a task's output, has nothing to read.
        """
        widths: Widths = {
            layer: {group: labels.count(group) for group in dict.fromkeys(labels)}
            for layer, labels in self.groups.items()
        }
        network = GroupedNetwork(self.architecture, self.tasks, widths)
        network.to(next(iter(self.weights.values())).device)
        with torch.no_grad():
            for node in self.architecture.weighted.values():
                source = self.source_groups(node)
                for group in network.widths[node.layer]:
                    rows = _positions(self.groups[node.layer], [group])
                    columns = _positions(source, network.sources(node, group))
                    block = network.blocks[node.name][network.block_name(group)]
                    kernel = self.weights[node.name][rows[:, None], columns[None, :]]
                    block.weight.copy_(kernel.reshape(block.weight.shape))
                    if node.bias:
                        block.bias.copy_(self.biases[node.name][rows])
            for name, vectors in self.norms.items():
                layer = self.architecture.signals[name].layer
                for group in network.widths[layer]:
                    columns = _positions(self.groups[layer], [group])
                    block = network.blocks[name][network.block_name(group)]
                    for kind, vector in zip(_NORM, vectors[:, columns], strict=True):
                        getattr(block, kind).copy_(vector)
        return network.eval()

    def source_groups(self, node: Weighted) -> list[Group]:
        """Return the group of every input unit of a weighted node; the image belongs to all."""
        layer = self.architecture.source_layer(node)
        if layer == IMAGE:
            return [frozenset(self.tasks)] * self.architecture.input_shape[0]
        return self.groups[layer]

    def nodes_making(self, layer: str) -> list[Weighted]:
        """Return the weighted nodes whose outputs are the units of a layer."""
        return [node for node in self.architecture.weighted.values() if node.layer == layer]

    def nodes_reading(self, layer: str) -> list[Weighted]:
        """Return the weighted nodes whose inputs are the units of a layer."""
        architecture = self.architecture
        nodes = architecture.weighted.values()
        return [node for node in nodes if architecture.source_layer(node) == layer]

    def norms_of(self, layer: str) -> list[str]:
        """Return the batch normalisations of a layer's units."""
        return [name for name in self.norms if self.architecture.signals[name].layer == layer]

    def take(self, layer: str, index: Sequence[int] | Tensor) -> "Assembly":
        """Return the assembly with a layer's units replaced by those at ``index``, in that order.

        Leaving an index out removes the unit and every weight to and from it.
        """
        index = torch.as_tensor(index, dtype=torch.long)
        weights, biases, norms = dict(self.weights), dict(self.biases), dict(self.norms)
        for node in self.nodes_making(layer):
            weights[node.name] = weights[node.name][index]
            if node.bias:
                biases[node.name] = biases[node.name][index]
        for name in self.norms_of(layer):
            norms[name] = norms[name][:, index]
        for node in self.nodes_reading(layer):
            weights[node.name] = weights[node.name][:, index]
        groups = {**self.groups, layer: [self.groups[layer][i] for i in index.tolist()]}
        return replace(self, groups=groups, weights=weights, biases=biases, norms=norms)

    def join(self, layer: str, members: Sequence[Sequence[int]]) -> "Assembly":
        """Return the assembly with a layer's units replaced by one unit per list of members.

        A joined unit has the mean of its members' incoming weights, biases and batch
        normalisations; what read several of them reads it with the sum of their weights; its
        group holds the tasks of all of them. Units that are in no list are removed.

        Raises:
            ShapeError: if a list is empty.
        """
        if not all(members):
            raise ShapeError(f"a unit of '{layer}' would be joined of no units")
        old = self.groups[layer]
        mean = torch.zeros(len(members), len(old))
        for unit, joined in enumerate(members):
            mean[unit, list(joined)] = 1 / len(joined)
        mean = mean.to(next(iter(self.weights.values())).device)
        total = (mean > 0).to(mean.dtype)
        weights, biases, norms = dict(self.weights), dict(self.biases), dict(self.norms)
        for node in self.nodes_making(layer):
            weights[node.name] = torch.einsum("uo,oit->uit", mean, weights[node.name])
            if node.bias:
                biases[node.name] = mean @ biases[node.name]
        for name in self.norms_of(layer):
            norms[name] = norms[name] @ mean.T
        for node in self.nodes_reading(layer):
            weights[node.name] = torch.einsum("ui,oit->out", total, weights[node.name])
        unions = [frozenset().union(*(old[i] for i in joined)) for joined in members]
        groups = {**self.groups, layer: unions}
        return replace(self, groups=groups, weights=weights, biases=biases, norms=norms)

    def regroup(self, groups: Mapping[str, Sequence[Group]]) -> "Assembly":
        """Return the assembly with the units of some layers moved to other groups.

        Weights that the new wiring forbids become zero. Layers that read each other, as in a
        residual stage, have to move together: in between, the wiring would cut what it allows in
        the end.

        Args:
            groups: layer -> the group of each of its units, in order.

        Raises:
            ShapeError: if there is not one group per unit.
        """
        for layer, labels in groups.items():
            if len(labels) != len(self.groups[layer]):
                raise ShapeError(
                    f"{len(labels)} groups for the {len(self.groups[layer])} units of '{layer}'"
                )
        moved = replace(self, groups=self.groups | {layer: list(g) for layer, g in groups.items()})
        weights = dict(self.weights)
        for name, node in self.architecture.weighted.items():
            if node.layer in groups or self.architecture.source_layer(node) in groups:
                weights[name] = weights[name] * moved._wired(node)[..., None]
        return replace(moved, weights=weights)

    def _wired(self, node: Weighted) -> Tensor:
        """Return which of a node's weights its wiring allows: bool (units out, units in)."""
        readers, sources = self.groups[node.layer], self.source_groups(node)
        kinds = {(u, v): u <= v for u in set(readers) for v in set(sources)}
        allowed = torch.tensor([[kinds[u, v] for v in sources] for u in readers], dtype=torch.bool)
        return allowed.reshape(len(readers), len(sources)).to(self.weights[node.name].device)

    def restrict(self, tasks: Iterable[str]) -> "Assembly":
        """Return the part that a component of tasks runs: their groups and outputs only.

        Raises:
            ShapeError: if a group is shared with a task outside.
        """
        kept = {task: count for task, count in self.tasks.items() if task in set(tasks)}
        part = self
        for layer, groups in self.groups.items():
            index = [i for i, group in enumerate(groups) if runs(group, kept)]
            if any(not groups[i] <= set(kept) for i in index):
                raise ShapeError(f"tasks {', '.join(kept)} share units of '{layer}' with others")
            part = part.take(layer, index)
        return replace(part, tasks=kept)

    @classmethod
    def unite(cls, parts: Sequence["Assembly"]) -> "Assembly":
        """Put networks of different tasks side by side; nothing connects one with another.

        Raises:
            ShapeError: if they differ in architecture or input shape, or share a task name.
        """
        first = parts[0].architecture
        tasks: dict[str, int] = {}
        for part in parts:
            other = part.architecture
            if (other.name, other.input_shape) != (first.name, first.input_shape):
                raise ShapeError(
                    f"cannot put together '{first.name}' for {first.input_shape} images and "
                    f"'{other.name}' for {other.input_shape} images"
                )
            for task, count in part.tasks.items():
                if task in tasks:
                    raise ShapeError(f"task '{task}' occurs in two of the networks")
                tasks[task] = count
        groups = {
            layer: [g for part in parts for g in part.groups[layer]] for layer in first.layers
        }
        weights, biases = {}, {}
        for node in first.weighted.values():
            blocks = [part.weights[node.name] for part in parts]
            from_image = first.source_layer(node) == IMAGE
            weights[node.name] = torch.cat(blocks) if from_image else _block_diagonal(blocks)
            if node.bias:
                biases[node.name] = torch.cat([part.biases[node.name] for part in parts])
        norms = {
            name: torch.cat([part.norms[name] for part in parts], dim=1) for name in first.norms
        }
        return cls(first, tasks, groups, weights, biases, norms)


def _side_by_side(blocks: nn.ModuleDict, kind: str) -> Tensor:
    """Return the vectors of all groups one after the other, in canonical order."""
    return torch.cat([getattr(block, kind).detach() for block in blocks.values()])


def _positions(labels: Sequence[Group], wanted: Iterable[Group]) -> Tensor:
    """Return the indices of units in the wanted groups, group after group."""
    return torch.tensor(
        [i for group in wanted for i, label in enumerate(labels) if label == group],
        dtype=torch.long,
    )


def _block_diagonal(blocks: Sequence[Tensor]) -> Tensor:
    """Return (rows, columns, taps) blocks along the diagonal of zeros."""
    taps = range(blocks[0].shape[2])
    diagonal = [torch.block_diag(*(block[:, :, tap] for block in blocks)) for tap in taps]
    return torch.stack(diagonal, dim=2)
