"""Zipping a network step by step, and the layers of a step node by node."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pam.data import MultitaskDataset
from pam.durable.checkpoints import step
from pam.errors import ConfigError, DataError
from pam.merging.activations import sample_index
from pam.merging.registry import retrain as train_lightly
from pam.merging.zipping.hessian import Hessian, layer_hessian
from pam.merging.zipping.pairing import pair_units, zipped_weights
from pam.merging.zipping.surgery import folded_weights, with_joined, with_rows
from pam.networks import Assembly, GroupedNetwork, SingleTaskNetwork, layer_steps
from pam.networks.architecture import Architecture, Weighted
from pam.seeds import derive_seed


@dataclass(frozen=True)
class LayerPlan:
    """What to zip in a layer.

    Attributes:
        count: pairs to make, those of least cost; 0 leaves the layer as it is.
        candidates: task -> its units that may be paired, counted within the task; None for all.
    """

    count: int
    candidates: Mapping[str, Collection[int]] | None = None


def zip_steps(architecture: Architecture) -> list[tuple[str, ...]]:
    """Return the steps of an architecture, each of which is zipped at once.

    Raises:
        ConfigError: if a batch normalisation follows no convolution, so that it cannot be folded.
    """
    for name, norm in architecture.norms.items():
        if norm.sources[0] not in architecture.weighted:
            raise ConfigError(
                f"'{architecture.name}' cannot be zipped: "
                f"its batch normalisation '{name}' follows no convolution"
            )
    return layer_steps(architecture)


def zip_networks(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    plan: Mapping[str, LayerPlan],
    weights: Mapping[str, float],
    *,
    samples: int,
    retrain: Mapping[str, Any] | None,
    seed: int,
) -> GroupedNetwork:
    """Zip networks step by step; ``notes["zipped"]`` tells which units were joined.

    The note of a layer holds ``"pairs"``, per shared unit its member in every task, and ``"cost"``,
    the sum of the costs by which they were chosen.

    Args:
        networks: task -> trained network.
        data: ``train`` gives the layers' inputs and the light retraining.
        plan: hidden layer -> what to zip; the layers of a step are all zipped or all left.
        weights: task -> weight of its error; they sum to 1.
        samples: training images that the Hessians are taken from, all if there are fewer.
        retrain: schedule of the light retraining after each zipped step.
        seed: of the choice of images and of the retraining.

    Raises:
        ConfigError: for an architecture that cannot be zipped.
        DataError: if a weight or an activation is NaN or infinite.
        DivergenceError: if retraining diverges.
    """
    network = Assembly.unite([Assembly.of(part) for part in networks.values()]).network().eval()
    index = sample_index(data, samples, seed)
    images = data.train.images[index.to(data.train.images.device)]
    network.notes["zipped"] = {}
    for layers in zip_steps(network.architecture):
        if all(plan[layer].count for layer in layers):
            zipper = StepZipper(
                network, {name: plan[name] for name in layers}, weights, data, images
            )
            network = _zipped(f"zip {layers[0]}", zipper, network.notes).to(images.device)
            step_seed = derive_seed("mtz", layers[0], seed)
            network = train_lightly(network, data, retrain, step_seed, f"zip {layers[0]}")
    return network


def _zipped(name: str, zipper: "StepZipper", notes: Mapping[str, Any]) -> GroupedNetwork:
    """Return the network zipped by one step, from the journal if the job was cut off after it."""
    with step(name) as opened:
        if opened.stored is not None:
            state, value = opened.stored
            network = GroupedNetwork.from_description(value["network"], state)
            network.notes = value["notes"]
            return network
        network = zipper.zip().network().eval()
        network.notes = {**notes, "zipped": {**notes["zipped"], **zipper.notes}}
        value = {"network": network.describe(), "notes": network.notes}
        opened.finish(lambda: (network.state_dict(), value))
        return network


@dataclass
class StepZipper:
    """Zips the layers of one step, node by node.

    Until all nodes are done, a shared unit could read units that are not shared yet. So the
    compromise is written into the units of the first task, whose network thereby becomes the shared
    one, and the units of all tasks are joined at the end.

    Attributes:
        network: what it reads from earlier steps is shared, its own layers are exclusive.
        plan: layer of the step -> what to zip, at least one pair in each.
        weights: task -> weight of its error; they sum to 1.
        data: knows how to normalise the images.
        images: uint8 (samples, channels, height, width), for the Hessians.
        notes: layer -> its pairs and their cost, once zipped.
    """

    network: GroupedNetwork
    plan: Mapping[str, LayerPlan]
    weights: Mapping[str, float]
    data: MultitaskDataset
    images: Tensor
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._assembly = Assembly.of(self.network)
        self._members: dict[str, dict[str, list[int]]] = {}
        self._moments: dict[str, Hessian] = {}

    def zip(self) -> Assembly:
        """Return the network laid out with the layers of the step zipped as planned.

        Raises:
            DataError: if a weight or an activation is NaN or infinite.
        """
        for node in self.network.architecture.weighted.values():
            if node.layer in self.plan:
                if node.layer not in self._members:
                    self._pair(node)
                self._share(node)
        joined = self._assembly
        for layer, members in self._members.items():
            joined = with_joined(joined, layer, members)
        return joined

    def _pair(self, node: Weighted) -> None:
        """Decide which units of the layer of its first node are joined."""
        layer, plan = node.layer, self.plan[node.layer]
        makers = self._assembly.nodes_making(layer)
        deciding = [maker for maker in makers if not self._reads_step(maker)] or [node]
        groups = self._assembly.groups[layer]
        units: dict[str, list[int]] = {}
        allowed: dict[str, list[int]] = {}
        for task in self.weights:
            exclusive = [unit for unit, group in enumerate(groups) if group == {task}]
            candidates = range(len(exclusive)) if plan.candidates is None else plan.candidates[task]
            allowed[task] = sorted(candidates)
            units[task] = [exclusive[unit] for unit in allowed[task]]
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
        return self.network.architecture.source_layer(node) in self.plan

    def _inputs(self, node: Weighted, task: str) -> list[int]:
        """Return the units that the shared units of a node read, as a task has them."""
        if self._reads_step(node):
            return self._members[self.network.architecture.source_layer(node)][task]
        everyone = frozenset(self.weights)
        groups = self._assembly.source_groups(node)
        return [unit for unit, group in enumerate(groups) if group == everyone]

    def _incoming(self, node: Weighted, units: Mapping[str, list[int]]) -> dict[str, Tensor]:
        """Return task -> folded weights of its units from shared units, with their bias."""
        incoming = {}
        for task, members in units.items():
            rows = folded_weights(self._assembly, node, members, self._inputs(node, task))
            if not bool(rows.isfinite().all()):
                raise DataError(
                    f"the weights of layer '{node.layer}' for task '{task}' hold NaN or infinity"
                )
            incoming[task] = rows
        return incoming

    def _hessians(self, node: Weighted) -> dict[str, Hessian]:
        """Return task -> weighted Hessian of what the shared units of a node read."""
        if node.name not in self._moments:
            network = self._assembly.network().eval() if self._reads_step(node) else self.network
            inputs = self._inputs(node, next(iter(self.weights)))
            self._moments[node.name] = layer_hessian(network, node, self.data, self.images, inputs)
        moment = self._moments[node.name]
        return {task: moment.weighted(weight) for task, weight in self.weights.items()}
