"""Zipping the layers of one step; what it decides is described in :mod:`pam.merging.zipper`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pam.data import MultitaskDataset
from pam.errors import DataError
from pam.merging.hessian import Hessian, layer_hessian
from pam.merging.zip_folding import folded_weights
from pam.merging.zip_surgery import with_joined, with_rows
from pam.merging.zipping import greedy_pairs, pair_costs, zipped_weights
from pam.networks import Assembly, GroupedNetwork
from pam.networks.architecture import Weighted


@dataclass(frozen=True)
class LayerPlan:
    """What to zip in a layer.

    Attributes:
        count: pairs to make, those of least cost; 0 leaves the layer as it is.
        candidates: task -> its units that may be paired, counted within the task; None for all.
    """

    count: int
    candidates: Mapping[str, Collection[int]] | None = None


class StepZipper:
    """Zips the layers of one step, node by node.

    Until all nodes are done, a shared unit could read units that are not shared yet. So the
    compromise is written into the units of the first task, whose network thereby becomes the shared
    one, and the units of all tasks are joined at the end.

    Attributes:
        notes: layer -> its pairs and their cost, once zipped.
    """

    def __init__(
        self,
        network: GroupedNetwork,
        plan: Mapping[str, LayerPlan],
        weights: Mapping[str, float],
        data: MultitaskDataset,
        images: Tensor,
    ) -> None:
        """Prepare to zip.

        Args:
            network: what it reads from earlier steps is shared, its own layers are exclusive.
            plan: layer of the step -> what to zip, at least one pair in each.
            weights: task -> weight of its error; they sum to 1.
            data: knows how to normalise the images.
            images: uint8 (samples, channels, height, width), for the Hessians.
        """
        self._network = network
        self._assembly = Assembly.of(network)
        self._plan = plan
        self._weights = weights
        self._data = data
        self._images = images
        self._members: dict[str, dict[str, list[int]]] = {}
        self._moments: dict[str, Hessian] = {}
        self.notes: dict[str, Any] = {}

    def zip(self) -> Assembly:
        """Return the network laid out with the layers of the step zipped as planned.

        Raises:
            DataError: if a weight or an activation is NaN or infinite.
        """
        for node in self._network.architecture.weighted.values():
            if node.layer in self._plan:
                if node.layer not in self._members:
                    self._pair(node)
                self._share(node)
        joined = self._assembly
        for layer, members in self._members.items():
            joined = with_joined(joined, layer, members)
        return joined

    def _pair(self, node: Weighted) -> None:
        """Decide which units of the layer of its first node are joined."""
        layer, plan = node.layer, self._plan[node.layer]
        makers = self._assembly.nodes_making(layer)
        deciding = [maker for maker in makers if not self._reads_step(maker)] or [node]
        groups = self._assembly.groups[layer]
        units: dict[str, list[int]] = {}
        allowed: dict[str, list[int]] = {}
        for task in self._weights:
            own = [unit for unit, group in enumerate(groups) if group == {task}]
            candidates = range(len(own)) if plan.candidates is None else plan.candidates[task]
            allowed[task] = sorted(candidates)
            units[task] = [own[unit] for unit in allowed[task]]
        hessians = [self._hessians(maker) for maker in deciding]
        incoming = [self._incoming(maker, units) for maker in deciding]
        members, cost = pair_units(incoming, hessians, plan.count)
        self._members[layer] = {
            task: [units[task][pair[side]] for pair in members] for side, task in enumerate(units)
        }
        pairs = [
            [allowed[task][unit] for task, unit in zip(allowed, pair, strict=True)]
            for pair in members
        ]
        self.notes[layer] = {"pairs": pairs, "cost": cost}

    def _share(self, node: Weighted) -> None:
        """Write the compromise of a node's joined units into those of the first task."""
        members = self._members[node.layer]
        hessians = self._hessians(node)
        incoming = self._incoming(node, members)
        first, *others = members
        rows, hessian = incoming[first], hessians[first]
        for task in others:
            rows = zipped_weights(rows, incoming[task], hessian, hessians[task])
            hessian = hessian + hessians[task]
        self._assembly = with_rows(
            self._assembly,
            node,
            members[first],
            self._inputs(node, first),
            rows,
            self._moments[node.name],
        )

    def _reads_step(self, node: Weighted) -> bool:
        return self._network.architecture.source_layer(node) in self._plan

    def _inputs(self, node: Weighted, task: str) -> list[int]:
        """Return the units that the shared units of a node read, as a task has them."""
        if self._reads_step(node):
            return self._members[self._network.architecture.source_layer(node)][task]
        everyone = frozenset(self._weights)
        groups = self._assembly.source_groups(node)
        return [unit for unit, group in enumerate(groups) if group == everyone]

    def _incoming(self, node: Weighted, units: Mapping[str, list[int]]) -> dict[str, Tensor]:
        """Return task -> folded weights of its units from shared units, with their bias."""
        incoming = {}
        for task, own in units.items():
            rows = folded_weights(self._assembly, node, own, self._inputs(node, task))
            if not bool(rows.isfinite().all()):
                raise DataError(
                    f"the weights of layer '{node.layer}' for task '{task}' hold NaN or infinity"
                )
            incoming[task] = rows
        return incoming

    def _hessians(self, node: Weighted) -> dict[str, Hessian]:
        """Return task -> weighted Hessian of what the shared units of a node read."""
        if node.name not in self._moments:
            network = self._assembly.network().eval() if self._reads_step(node) else self._network
            inputs = self._inputs(node, next(iter(self._weights)))
            self._moments[node.name] = layer_hessian(
                network, node, self._data, self._images, inputs
            )
        moment = self._moments[node.name]
        return {task: moment.weighted(weight) for task, weight in self._weights.items()}


def pair_units(
    incoming: list[dict[str, Tensor]], hessians: list[dict[str, Hessian]], count: int
) -> tuple[list[list[int]], float]:
    """Pair the units of a layer, one network after the other.

    Args:
        incoming: per deciding node, task -> float64 (units of the task, inputs + 1).
        hessians: per deciding node, task -> weighted Hessian of its inputs.
        count: units to share.

    Returns:
        Per shared unit its member in every task, and the sum of the costs of all pairs.
    """
    first, *others = incoming[0]
    joint = [rows[first] for rows in incoming]
    joint_hessians = [hessian[first] for hessian in hessians]
    members = [[unit] for unit in range(len(joint[0]))]
    total = 0.0
    for task in others:
        own = [rows[task] for rows in incoming]
        own_hessians = [hessian[task] for hessian in hessians]
        sides = list(zip(joint, own, joint_hessians, own_hessians, strict=True))
        costs = torch.stack([pair_costs(*side) for side in sides]).sum(dim=0)
        pairs = greedy_pairs(costs, count)
        rows, columns = (list(side) for side in zip(*pairs, strict=True))
        total += float(costs[rows, columns].sum())
        joint = [zipped_weights(a[rows], b[columns], h, g) for a, b, h, g in sides]
        joint_hessians = [h + g for _, _, h, g in sides]
        members = [[*members[row], column] for row, column in pairs]
    return members, total
