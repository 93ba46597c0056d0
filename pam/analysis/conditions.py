"""The two conditions for merging before pruning, after the two scenarios of He et al., KDD 2021.

Scenario 1: which shared units of a pruned network are in fact exclusive to one task. From a network
whose units are all shared, those that know most of one task and least of the others are removed,
one after another and without retraining. If only that task's accuracy falls, the units were
exclusive to it, and running the other tasks computes them in vain.

Scenario 2: redundancy between the units that tasks keep to themselves. Pairs of exclusive units of
two tasks have correlated outputs: both are computed when both tasks run, though one would do, and
pruning cannot see it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pam.data import MultitaskDataset
from pam.information import label_entropy, per_unit_information
from pam.merging.activations import standardised, units_of
from pam.networks import Group, GroupedNetwork
from pam.pruning.units import per_channel
from pam.training import task_accuracies

MOST_STEPS = 12
_NO_ENTROPY = 1e-12

Row = dict[str, Any]


class Accuracy(NamedTuple):
    """Task -> accuracy as a fraction, on the validation and the test part."""

    validation: dict[str, float]
    test: dict[str, float]


def exclusivity_rows(
    network: GroupedNetwork,
    data: MultitaskDataset,
    layer: str,
    activations: Tensor,
    labels: Mapping[str, Tensor],
) -> list[Row]:
    """Remove a layer's shared units one by one, for every task those most exclusive to it first.

    Args:
        network: whose units are removed, in turn and without retraining.
        data: accuracies are those of its validation and test part.
        layer: a hidden layer; one without shared units gives no rows.
        activations: float (samples, units of the layer), as :func:`pam.merging.activations.collect`
            returns them.
        labels: task -> ±1 (samples, labels of the task).

    Returns:
        Per task (``exclusive_to``), ``step`` and task whose ``accuracy`` it is, one row; ``neuron``
        is counted in its layer, and step 0 is the intact network.
    """
    shared = units_of(network, layer, set(network.tasks))
    if not shared:
        return []
    information = unit_information(activations[:, shared.start : shared.stop], labels)
    rows = []
    for exclusive_to in network.tasks:
        order = removal_order(exclusivity(information, labels, exclusive_to))
        steps = zip([None, *order], remove_one_by_one(network, data, layer, order), strict=True)
        for step, (unit, accuracy) in enumerate(steps):
            rows += [
                {
                    "layer": layer,
                    "exclusive_to": exclusive_to,
                    "step": step,
                    "neuron": None if unit is None else shared[unit],
                    "task": task,
                    "information_nats": None if unit is None else float(information[task][unit]),
                    "accuracy": accuracy.test[task],
                    "validation_accuracy": accuracy.validation[task],
                }
                for task in network.tasks
            ]
    return rows


def unknown_exclusivity_rows(tasks: Iterable[str], layer: str) -> list[Row]:
    """Return the rows of a network that could not be trained or merged: step 0, no numbers."""
    tasks = list(tasks)
    unknown = dict.fromkeys(("neuron", "information_nats", "accuracy", "validation_accuracy"))
    return [
        {"layer": layer, "exclusive_to": exclusive_to, "step": 0, "task": task, **unknown}
        for exclusive_to in tasks
        for task in tasks
    ]


def unit_information(activations: Tensor, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return task -> float64 (units,): what every unit alone knows of the task, in nats.

    Args:
        activations: float (samples, units); standardised here, as mergers do.
        labels: task -> ±1 (samples, labels of the task).
    """
    values = standardised(activations)
    return {task: per_unit_information(values, y) for task, y in labels.items()}


def exclusivity(
    information: Mapping[str, Tensor], labels: Mapping[str, Tensor], task: str
) -> Tensor:
    """Return how much more every unit knows of one task than of any other, float64 (units,).

    What a unit knows of a task counts as a share of the task's label entropy, so that tasks of
    many labels do not outweigh others.

    Args:
        information: task -> float64 (units,), in nats.
        labels: task -> ±1 (samples, labels of the task), for the entropies.
        task: the task in question.
    """
    share = {t: i / max(label_entropy(labels[t]), _NO_ENTROPY) for t, i in information.items()}
    others = [share[other] for other in share if other != task]
    return share[task] - torch.stack(others).amax(0) if others else share[task]


def removal_order(scores: Tensor) -> list[int]:
    """Return the units to remove, highest score first, lowest index on ties.

    One unit always stays, and no more than 12 go.
    """
    order = scores.argsort(descending=True, stable=True)
    return order[: min(MOST_STEPS, len(scores) - 1)].tolist()


def remove_one_by_one(
    network: GroupedNetwork, data: MultitaskDataset, layer: str, order: Sequence[int]
) -> Iterator[Accuracy]:
    """Yield the accuracy of the intact network, then after each further shared unit is gone.

    Args:
        network: is left as it was: what a removed unit computes is multiplied by 0.
        data: the data it is judged on.
        layer: a hidden layer.
        order: the units to remove, counted within the shared group.
    """
    device = next(network.parameters()).device
    everyone = frozenset(network.tasks)
    left = torch.ones(network.widths[layer][everyone], device=device)

    def gate(gated: str, group: Group, tensor: Tensor) -> Tensor:
        here = gated == layer and group == everyone
        return tensor * per_channel(left, tensor) if here else tensor

    def accuracy() -> Accuracy:
        parts = (data.validation, data.test)
        return Accuracy(*(task_accuracies(network, data, part, gate) for part in parts))

    yield accuracy()
    for unit in order:
        left[unit] = 0
        yield accuracy()


PLOTTED_SAMPLES = 256
SAME = 1e-12
"""Correlations that differ by no more than this are equal."""


class Redundancy(NamedTuple):
    """How much the units of one task resemble those of another.

    Attributes:
        mean_max: mean over the units of A of the largest absolute correlation with a unit of B,
            averaged with the same from the side of B; in [0, 1].
        largest: the largest absolute correlation of all pairs; in [0, 1].
        unit_a, unit_b: the units of that pair, counted within their groups.
    """

    mean_max: float
    largest: float
    unit_a: int
    unit_b: int


def redundancy_rows(network: GroupedNetwork, layer: str, activations: Tensor) -> list[Row]:
    """Return one row per pair of tasks that both have units of their own in a layer.

    Args:
        network: whose groups are meant.
        layer: a hidden layer.
        activations: float (samples, units of the layer), as :func:`pam.merging.activations.collect`
            returns them.

    Returns:
        Rows in the order of the tasks; ``neuron_a`` and ``neuron_b`` are counted in their layer.
    """
    rows = []
    for pair in combinations(network.tasks, 2):
        a, b = (units_of(network, layer, {task}) for task in pair)
        if a and b:
            pairs = redundancy(activations[:, a.start : a.stop], activations[:, b.start : b.stop])
            rows.append(
                {
                    "layer": layer,
                    "task_a": pair[0],
                    "task_b": pair[1],
                    "neurons_a": len(a),
                    "neurons_b": len(b),
                    "mean_max_correlation": pairs.mean_max,
                    "max_correlation": pairs.largest,
                    "neuron_a": a[pairs.unit_a],
                    "neuron_b": b[pairs.unit_b],
                }
            )
    return rows


def unknown_redundancy_rows(tasks: Iterable[str], layer: str) -> list[Row]:
    """Return the rows, without numbers, of a network that could not be trained or merged."""
    counts = ("neurons_a", "neurons_b", "neuron_a", "neuron_b")
    unknown = dict.fromkeys((*counts, "mean_max_correlation", "max_correlation"))
    return [
        {"layer": layer, "task_a": a, "task_b": b, **unknown} for a, b in combinations(tasks, 2)
    ]


def sample_rows(pair: Mapping[str, Any], activations: Tensor) -> list[Row]:
    """Return the outputs of the most correlated pair, one row for each of the first 256 samples.

    Args:
        pair: a row of :func:`redundancy_rows`.
        activations: float (samples, units of the layer), those that the row was made of.
    """
    place = {name: pair[name] for name in ("layer", "task_a", "task_b")}
    both = activations[:PLOTTED_SAMPLES, [pair["neuron_a"], pair["neuron_b"]]].tolist()
    return [
        {**place, "sample": sample, "value_a": a, "value_b": b}
        for sample, (a, b) in enumerate(both)
    ]


def correlations(a: Tensor, b: Tensor) -> Tensor:
    """Return Pearson's correlation of every pair of units, float64 (units of a, units of b).

    Units that never change are correlated with nothing: 0.

    Args:
        a: float (samples, units of a).
        b: float (samples, units of b), of the same samples.
    """
    scaled_a, scaled_b = standardised(a), standardised(b)
    centred_a, centred_b = scaled_a - scaled_a.mean(0), scaled_b - scaled_b.mean(0)
    return (centred_a.T @ centred_b / len(a)).clamp(-1, 1)


def redundancy(a: Tensor, b: Tensor) -> Redundancy:
    """Return how redundant two groups of units are; ties go to the lowest index of A, then of B.

    Args:
        a: float (samples, units of a), at least one unit.
        b: float (samples, units of b), at least one unit, of the same samples.
    """
    strength = correlations(a, b).abs()
    largest = float(strength.max())
    # Equal pairs may differ in the last bit, by the order in which their products are summed.
    best = int((strength.flatten() >= largest - SAME).nonzero()[0])
    return Redundancy(
        mean_max=float(strength.amax(1).mean() + strength.amax(0).mean()) / 2,
        largest=largest,
        unit_a=best // strength.shape[1],
        unit_b=best % strength.shape[1],
    )
