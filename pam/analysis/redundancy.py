"""Scenario 2: redundancy between the units that tasks keep to themselves.

He et al., KDD 2021, look for pairs of exclusive units of two tasks whose outputs are correlated:
both are computed when both tasks run, though one would do, and pruning cannot see it.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from torch import Tensor

from pam.merging.activations import standardised, units_of
from pam.networks import GroupedNetwork

PLOTTED_SAMPLES = 256
SAME = 1e-12
"""Correlations that differ by no more than this are equal."""

Row = dict[str, Any]


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
