"""Zipping networks layer by layer: the machinery of Multi-Task Zipping (He et al., NeurIPS 2018).

In every layer some units of each network are paired one-to-one with units of the others; a pair
becomes one unit of the group shared by all tasks, with the compromise of
:mod:`pam.merging.zipping` as its incoming weights. What read one of the two reads the shared unit
with unchanged weights. Then the network is retrained lightly, and the next layer is zipped with the
inputs that the retrained network gives it.

Choices where the source leaves room:

- Shared units read shared units only: the wiring rule of grouped networks knows no weights from
  exclusive to shared units. With full sharing there are none; with partial sharing they are
  dropped, before pairing, and the retraining has to make up for them.
- Convolutions use the Hessian of full patches, zero padding included; biases are a constant input.
- All tasks see the same images here, so their Hessians are multiples of one second moment.
- More than two networks are added one at a time, the Hessian of the joint network being the sum of
  those of its parts; the result is then the optimum of all for the chosen pairs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pam.data import MultitaskDataset
from pam.errors import ConfigError, DataError
from pam.merging.activations import sample_index
from pam.merging.hessian import Hessian, layer_hessian
from pam.merging.retraining import retrain as train_lightly
from pam.merging.zipping import greedy_pairs, pair_costs, zipped_weights
from pam.networks import Assembly, Group, GroupedNetwork, SingleTaskNetwork
from pam.networks.architecture import Weighted
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
    """Zip networks layer by layer; ``notes["zipped"]`` tells which units were joined.

    Args:
        networks: task -> trained network.
        data: ``train`` gives the layers' inputs and the light retraining.
        plan: hidden layer -> what to zip, in the order of the layers.
        weights: task -> weight of its error; they sum to 1.
        samples: training images that the Hessians are taken from, at least 2 (all if there are
            fewer).
        retrain: schedule of the light retraining after each zipped layer.
        seed: of the choice of images and of the retraining.

    Raises:
        ConfigError: for a value outside its range.
        DataError: if a weight or an activation is NaN or infinite.
        DivergenceError: if retraining diverges.
    """
    network = Assembly.unite([Assembly.of(part) for part in networks.values()]).network().eval()
    if isinstance(samples, bool) or not isinstance(samples, int):
        raise ConfigError(f"merging option 'samples' must be a whole number, not {samples!r}")
    index = sample_index(data, min(samples, len(data.train)), seed)
    images = data.train.images[index.to(data.train.images.device)]
    zipped: dict[str, Any] = {}
    for layer, layer_plan in plan.items():
        if layer_plan.count:
            assembly, zipped[layer] = _zip_layer(network, layer, layer_plan, weights, data, images)
            network = _rebuilt(assembly, network)
            layer_seed = derive_seed("mtz", layer, seed)
            network = train_lightly(network, data, retrain, layer_seed, f"zip {layer}")
    network.notes["zipped"] = zipped
    return network


@dataclass(frozen=True)
class _Zip:
    """Units joined across tasks.

    Attributes:
        members: per shared unit the unit it was made of in every task, counted within the task.
        weights: weighted node -> float64 (shared units, shared inputs * taps + 1).
        cost: sum of the costs of all pairs.
    """

    members: list[list[int]]
    weights: dict[str, Tensor]
    cost: float


def _zip_layer(
    network: GroupedNetwork,
    layer: str,
    plan: LayerPlan,
    weights: Mapping[str, float],
    data: MultitaskDataset,
    images: Tensor,
) -> tuple[Assembly, dict[str, Any]]:
    """Return the network laid out with a layer zipped as planned, and a note on its pairs."""
    assembly = Assembly.of(network)
    nodes = assembly.nodes_making(layer)
    moments = {node.name: layer_hessian(network, node, data, images) for node in nodes}
    own = {task: _units_of(assembly, layer, task) for task in network.tasks}
    allowed = {
        task: range(len(own[task])) if plan.candidates is None else sorted(plan.candidates[task])
        for task in own
    }
    units = {task: [own[task][unit] for unit in allowed[task]] for task in own}
    incoming = {
        task: {node.name: _incoming(assembly, node)[units[task]] for node in nodes}
        for task in network.tasks
    }
    for task, matrices in incoming.items():
        if not all(bool(matrix.isfinite().all()) for matrix in matrices.values()):
            raise DataError(
                f"the weights of layer '{layer}' for task '{task}' hold NaN or infinity"
            )
    hessians = {
        task: {name: moment.weighted(weights[task]) for name, moment in moments.items()}
        for task in network.tasks
    }
    zipped = _zip_units(incoming, hessians, plan.count)
    pairs = [
        [allowed[task][unit] for task, unit in zip(allowed, members, strict=True)]
        for members in zipped.members
    ]
    note = {"pairs": pairs, "cost": zipped.cost}
    return _with_shared(assembly, layer, units, zipped), note


def _zip_units(
    incoming: Mapping[str, Mapping[str, Tensor]],
    hessians: Mapping[str, Mapping[str, Hessian]],
    count: int,
) -> _Zip:
    """Pair the units of a layer, one network after the other, and compute what they share.

    Args:
        incoming: task -> weighted node -> float64 (units of the task, inputs + 1).
        hessians: task -> weighted node -> weighted Hessian of the node's inputs.
        count: units to share.
    """
    first, *others = incoming
    joint, joint_hessians = dict(incoming[first]), dict(hessians[first])
    members = [[unit] for unit in range(len(next(iter(joint.values()))))]
    total = 0.0
    for task in others:
        own, own_hessians = incoming[task], hessians[task]
        costs = torch.stack(
            [pair_costs(joint[n], own[n], joint_hessians[n], own_hessians[n]) for n in own]
        ).sum(dim=0)
        pairs = greedy_pairs(costs, count)
        rows, columns = (list(side) for side in zip(*pairs, strict=True))
        total += float(costs[rows, columns].sum())
        for name in own:
            joint[name] = zipped_weights(
                joint[name][rows], own[name][columns], joint_hessians[name], own_hessians[name]
            )
            joint_hessians[name] = joint_hessians[name] + own_hessians[name]
        members = [[*members[row], column] for row, column in pairs]
    return _Zip(members, joint, total)


def _units_of(assembly: Assembly, layer: str, task: str) -> list[int]:
    return [i for i, group in enumerate(assembly.groups[layer]) if group == {task}]


def _shared_columns(assembly: Assembly, node: Weighted) -> list[int]:
    everyone = frozenset(assembly.tasks)
    return [i for i, group in enumerate(assembly.source_groups(node)) if group == everyone]


def _incoming(assembly: Assembly, node: Weighted) -> Tensor:
    """Return weights from shared units and the bias, float64 (units, shared inputs * taps + 1)."""
    weight = assembly.weights[node.name][:, _shared_columns(assembly, node)]
    return torch.cat([weight.flatten(1), assembly.biases[node.name][:, None]], dim=1).double()


def _with_shared(
    assembly: Assembly, layer: str, units: Mapping[str, list[int]], zipped: _Zip
) -> Assembly:
    """Return the assembly with the joined units first in their layer and the others after them."""
    joined = [
        [units[task][unit] for task, unit in zip(units, members, strict=True)]
        for members in zipped.members
    ]
    gone = {unit for members in joined for unit in members}
    kept = [unit for unit in range(len(assembly.groups[layer])) if unit not in gone]
    weights, biases = dict(assembly.weights), dict(assembly.biases)
    for node in assembly.nodes_making(layer):
        old, rows = weights[node.name], zipped.weights[node.name]
        columns = _shared_columns(assembly, node)
        made = old.new_zeros(len(rows), *old.shape[1:])
        made[:, columns] = rows[:, :-1].reshape(len(rows), len(columns), -1).to(old.dtype)
        weights[node.name] = torch.cat([made, old[kept]])
        bias = biases[node.name]
        biases[node.name] = torch.cat([rows[:, -1].to(bias.dtype), bias[kept]])
    for node in assembly.nodes_reading(layer):
        # No unit reads two tasks' units yet, so the columns of a pair never overlap.
        old = weights[node.name]
        weights[node.name] = torch.cat([old[:, joined].sum(dim=2), old[:, kept]], dim=1)
    everyone: Group = frozenset(assembly.tasks)
    labels = [everyone] * len(joined) + [assembly.groups[layer][unit] for unit in kept]
    groups = {**assembly.groups, layer: labels}
    return replace(assembly, groups=groups, weights=weights, biases=biases)


def _rebuilt(assembly: Assembly, former: GroupedNetwork) -> GroupedNetwork:
    network = assembly.network().eval()
    network.notes.update(former.notes)
    return network
