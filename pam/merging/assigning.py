"""Merging by moving units between groups: shared by all mergers that regroup."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from torch import Tensor

from pam.data import MultitaskDataset
from pam.durable.checkpoints import Outcome, remember
from pam.errors import ConfigError
from pam.groups import group_name
from pam.information import label_entropy, per_unit_information
from pam.merging.activations import collect, draw_sample, standardised
from pam.merging.registry import retrain as train_lightly
from pam.networks import Assembly, Group, GroupedNetwork, SingleTaskNetwork


@dataclass(frozen=True)
class Assignment:
    """What becomes of the units of a layer.

    Attributes:
        groups: per unit its group, or None if it is removed.
        log: JSON-able facts for the record.
    """

    groups: list[Group | None]
    log: dict[str, Any] = field(default_factory=dict)


class Assigner(Protocol):
    """Decides the groups of one layer.

    Args of a call:
        layer: its name.
        activations: float (samples, units), the units of all networks side by side in task order.
        labels: task -> ±1 (samples, labels of the task).
        origins: per unit the task whose network it came from.
    """

    def __call__(
        self,
        layer: str,
        activations: Tensor,
        labels: Mapping[str, Tensor],
        origins: Sequence[str],
    ) -> Assignment: ...


Groups = dict[str, list[Group | None]]
"""Layer -> per unit its group, or None if it is removed."""

Rewiring = Callable[[Assembly, Groups], Groups]


def merge_by_assignment(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    assign: Assigner,
    *,
    samples: int,
    layerwise: bool,
    retrain: Mapping[str, Any] | None,
    seed: int,
    rewire: Rewiring | None = None,
) -> GroupedNetwork:
    """Regroup the units of all networks layer by layer, rewire, and retrain lightly.

    The notes of the result hold a row per unit and task of ``neuron_information`` and, under
    ``"layers"``, what the assigner logged.

    Args:
        networks: task -> trained network.
        data: images and labels come from ``train``.
        assign: decides the groups of every hidden layer.
        samples: number of training images that the assigner sees.
        layerwise: let the assigner see the network as merged so far, retrained after every layer,
            instead of the single-task networks.
        retrain: schedule of the light retraining.
        seed: of the sample and of the retraining.
        rewire: changes the groups of all layers together before they take effect; not called
            if layerwise.

    Raises:
        ConfigError: if layerwise and the layers do not follow one another, as in residual networks.
    """
    assembly = Assembly.unite([Assembly.of(network) for network in networks.values()])
    images, labels = draw_sample(data, samples, seed, networks)
    layers = assembly.architecture.hidden_layers
    if layerwise and not assembly.architecture.is_chain:
        raise ConfigError(
            f"merging option 'layerwise' needs layers that follow one another; those of "
            f"'{assembly.architecture.name}' do not"
        )
    separate = assembly.network()
    activations = collect(separate, images, layers)
    origins = {layer: [next(iter(g)) for g in assembly.groups[layer]] for layer in layers}
    network, curve = separate, []
    log: dict[str, Any] = {}
    decided: Groups = {}
    for layer in layers:
        if layerwise:
            activations[layer] = collect(network, images, [layer])[layer]
        assignment = _remembered(
            layer, partial(assign, layer, activations[layer], labels, origins[layer])
        )
        log[layer], decided[layer] = assignment.log, assignment.groups
        if layerwise:
            assembly = _regrouped(assembly, {layer: assignment.groups})
            network = train_lightly(assembly.network(), data, retrain, seed, f"retrain {layer}")
            curve += network.notes["curve"]
            assembly = Assembly.of(network)
    if not layerwise:
        if rewire is not None:
            decided = rewire(assembly, decided)
        network = _regrouped(assembly, decided).network()
        curve = train_lightly(network, data, retrain, seed, "retrain").notes["curve"]
    rows = [
        row
        for layer in layers
        for row in information_rows(
            layer, activations[layer], labels, decided[layer], origins[layer]
        )
    ]
    network.notes |= {"curve": curve, "layers": log, "rows": {"neuron_information": rows}}
    return network


def _remembered(layer: str, assign: Callable[[], Assignment]) -> Assignment:
    """Return the assignment of a layer, from the journal if the job was cut off after it."""

    def compute() -> Outcome:
        assignment = assign()
        groups = [None if group is None else sorted(group) for group in assignment.groups]
        return {}, {"groups": groups, "log": assignment.log}

    _, value = remember(f"assign {layer}", compute)
    groups = [None if group is None else frozenset(group) for group in value["groups"]]
    return Assignment(groups, value["log"])


def _regrouped(assembly: Assembly, decided: Groups) -> Assembly:
    """Return the assembly without removed units, the others moved to their groups at once."""
    for layer, groups in decided.items():
        kept = [unit for unit, group in enumerate(groups) if group is not None]
        assembly = assembly.take(layer, kept)
    return assembly.regroup(
        {layer: [g for g in groups if g is not None] for layer, groups in decided.items()}
    )


def information_rows(
    layer: str,
    activations: Tensor,
    labels: Mapping[str, Tensor],
    groups: Sequence[Group | None],
    origins: list[str],
) -> list[dict[str, Any]]:
    """Return rows of what every unit alone knows of every task, from standardised activations.

    Args:
        layer: its name.
        activations: float (samples, units).
        labels: task -> ±1 (samples, labels of the task).
        groups: per unit its group, or None if it was removed.
        origins: per unit the task whose network it came from.
    """
    values = standardised(activations)
    rows = []
    for task, y in labels.items():
        ceiling = label_entropy(y)
        for unit, information in enumerate(per_unit_information(values, y).tolist()):
            group = groups[unit]
            name = "removed" if group is None else group_name(group, list(labels))
            rows.append(
                {
                    "layer": layer,
                    "neuron": unit,
                    "origin": origins[unit],
                    "group": name,
                    "task": task,
                    "information_nats": information,
                    "label_entropy_nats": ceiling,
                }
            )
    return rows
