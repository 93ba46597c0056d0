"""The greedy search for the neurons that say nothing about a task, and the groups it implies.

Source: He et al., "Pruning-Aware Merging for Efficient Multitask Inference", KDD 2021, section on
regrouping: per task, neurons are collected one by one, always the one that keeps the joint
information of the collection about the task's labels lowest, until that would exceed a threshold.
A neuron that is irrelevant to every task is removed, one that is irrelevant to all tasks but one is
exclusive to that task, and the rest is shared.

The search is exact: every free neuron is evaluated at every step, in float64, and neurons whose
joint information lies within :data:`TIE_TOLERANCE` of the lowest count as tied, the one with the
lowest index being taken. Mathematically tied neurons (duplicates, dead neurons, mirrored ones, any
neurons once the estimate is saturated) are thus decided by index, not by rounding.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch

from pam.errors import ConfigError
from pam.information import DEFAULT_NOISE_VARIANCE, label_entropy
from pam.information.estimates import as_labels, as_samples, check_noise_variance
from pam.information.joint import CandidateKernels, LabelClasses, on_all_threads

TIE_TOLERANCE = 1e-12
"""Nats; above the rounding error of the estimate, and far below any difference that means much."""

DEFAULT_MEMORY = 5 * 2**29
"""Bytes of kernels kept: 1,024 neurons and 512 samples in float64 fit."""

_COMPACT_BELOW = 0.9

Step = tuple[int, float]


@dataclass(frozen=True)
class Search:
    """How the search for the neurons irrelevant to one task went.

    Attributes:
        steps: (neuron, joint information in nats once it is taken), in the order of selection.
        stopped_at: joint information in nats of the best neuron that was refused; None if all
            neurons were taken.
        ceiling: label entropy of the task in nats, which no joint information exceeds.
    """

    steps: tuple[Step, ...]
    stopped_at: float | None
    ceiling: float

    @property
    def order(self) -> list[int]:
        """The neurons in the order of selection."""
        return [neuron for neuron, _ in self.steps]

    @property
    def curve(self) -> list[float]:
        """The joint information after each step, in nats; it need not be monotone."""
        return [information for _, information in self.steps]

    @property
    def saturation(self) -> float:
        """Highest joint information met, the refused one included, as a share of the ceiling."""
        refused = [] if self.stopped_at is None else [self.stopped_at]
        return max(self.curve + refused) / self.ceiling if self.ceiling > 0 else 1.0


@dataclass(frozen=True)
class Grouping:
    """Which tasks use each neuron of a layer.

    Attributes:
        shared: sorted neurons that are relevant to several tasks.
        exclusive: task -> sorted neurons that are irrelevant to all the other tasks.
        removed: sorted neurons that are irrelevant to every task.
        trace: task -> its search.
    """

    shared: list[int]
    exclusive: dict[str, list[int]]
    removed: list[int]
    trace: dict[str, Search]

    @property
    def saturation(self) -> dict[str, float]:
        """Task -> how close the search came to the label-entropy ceiling, as a share of it."""
        return {task: search.saturation for task, search in self.trace.items()}

    @property
    def irrelevant(self) -> dict[str, list[int]]:
        """Task -> neurons irrelevant to it, in the order of selection."""
        return {task: search.order for task, search in self.trace.items()}

    def assignment(self, partial: bool = False) -> list[frozenset[str] | None]:
        """Return per neuron the set of tasks that use it, None for a removed neuron.

        Args:
            partial: whether a shared neuron is used by the tasks that it is relevant to, and not
                by all, as the paper has it.
        """
        if partial:
            irrelevant = {task: set(neurons) for task, neurons in self.irrelevant.items()}
            count = len(self.shared) + len(self.removed) + sum(map(len, self.exclusive.values()))
            return [
                frozenset(task for task in irrelevant if neuron not in irrelevant[task]) or None
                for neuron in range(count)
            ]
        users: dict[int, frozenset[str] | None] = dict.fromkeys(self.removed)
        users |= dict.fromkeys(self.shared, frozenset(self.exclusive))
        for task, neurons in self.exclusive.items():
            users |= dict.fromkeys(neurons, frozenset({task}))
        return [users[neuron] for neuron in range(len(users))]


def regroup(
    activations: Any,
    labels: Mapping[str, Any],
    threshold: float | Mapping[str, float],
    noise_variance: float = DEFAULT_NOISE_VARIANCE,
    memory: int = DEFAULT_MEMORY,
) -> Grouping:
    """Split the neurons of a layer into shared, exclusive and removed ones.

    With I_t the neurons irrelevant to task t: removed are those in every I_t, exclusive to t those
    in the I_s of all other tasks s and not removed, shared all others.

    Args:
        activations: float tensor or array, (samples, neurons); the search runs on its device.
        labels: task -> -1 or +1, (samples, L), for at least two tasks.
        threshold: upper bound in nats on the joint information of the neurons irrelevant to a
            task, summed over its labels; one for all tasks or one per task.
        noise_variance: variance of the noise, in squared units of the activations.
        memory: bytes of kernels to keep between steps; less is slower, never different.

    Raises:
        ConfigError: for fewer than two tasks, a threshold that is negative, NaN, missing or of an
            unknown task, or a noise variance that is not positive.
        ShapeError: if an argument has more than two axes or the numbers of samples differ.
        DataError: if an argument is empty, the activations hold NaN or infinity, or a label is
            not ±1.
    """
    if len(labels) < 2:
        raise ConfigError(f"regrouping needs at least two tasks, not {len(labels)}")
    thresholds = _thresholds(threshold, labels)
    activations = as_samples(activations, "activations")
    targets = {task: as_labels(y, activations, f"labels of {task}") for task, y in labels.items()}
    trace = {
        task: irrelevant_order(activations, y, noise_variance, memory, thresholds[task])
        for task, y in targets.items()
    }
    return group(trace, activations.shape[1])


def irrelevant_order(
    activations: Any,
    labels: Any,
    noise_variance: float = DEFAULT_NOISE_VARIANCE,
    memory: int = DEFAULT_MEMORY,
    threshold: float = math.inf,
) -> Search:
    """Return the search for the neurons irrelevant to one task.

    Args:
        activations: float tensor or array, (samples, neurons); the search runs on its device.
        labels: -1 or +1, (samples, L).
        noise_variance: variance of the noise, in squared units of the activations.
        memory: bytes of kernels to keep between steps; less is slower, never different.
        threshold: upper bound in nats; by default the search ends when every neuron is taken. The
            order does not depend on it.

    Raises:
        ConfigError, ShapeError, DataError: as :func:`regroup`.
    """
    activations = as_samples(activations, "activations")
    labels = as_labels(labels, activations)
    noise_variance = check_noise_variance(noise_variance)
    steps: list[Step] = []
    ceiling = label_entropy(labels)
    with on_all_threads() as map_blocks:
        candidates = CandidateKernels(activations, noise_variance, memory, map_blocks)
        for neuron, information in _greedy(candidates, labels):
            if information > threshold + TIE_TOLERANCE:
                return Search(tuple(steps), information, ceiling)
            steps.append((neuron, information))
    return Search(tuple(steps), None, ceiling)


def group(trace: Mapping[str, Search], n_neurons: int) -> Grouping:
    """Return the grouping that the searches of all tasks over one layer imply.

    Args:
        trace: task -> its search, already cut at its threshold, for at least two tasks.
        n_neurons: number of neurons in the layer.
    """
    irrelevant = {task: set(search.order) for task, search in trace.items()}
    removed = reduce(set.intersection, irrelevant.values())
    exclusive = {}
    for task in trace:
        others = [neurons for other, neurons in irrelevant.items() if other != task]
        exclusive[task] = reduce(set.intersection, others) - removed
    shared = set(range(n_neurons)).difference(removed, *exclusive.values())
    return Grouping(
        shared=sorted(shared),
        exclusive={task: sorted(neurons) for task, neurons in exclusive.items()},
        removed=sorted(removed),
        trace=dict(trace),
    )


def _greedy(candidates: CandidateKernels, labels: torch.Tensor) -> Iterator[Step]:
    """Yield (neuron, joint information with all before it) until no neuron is free."""
    classes = LabelClasses(labels)
    kernel = labels.new_ones(len(labels), len(labels))
    while len(candidates):
        scores = candidates.joint_information(classes, kernel)
        tied = torch.nonzero(scores <= scores.min() + TIE_TOLERANCE)[:, 0].tolist()
        slot = min(tied, key=candidates.neurons.__getitem__)
        yield candidates.neurons[slot], float(scores[slot])
        kernel *= candidates.take(slot)
        keep = _crowded(kernel, labels.shape[1])
        if len(keep) == 0:
            # Nothing is left to tell apart: whatever is added, the information is the ceiling.
            ceiling = label_entropy(labels)
            yield from ((neuron, ceiling) for neuron in sorted(candidates.neurons))
            return
        if len(keep) <= _COMPACT_BELOW * len(kernel):
            kernel = kernel[keep][:, keep]
            classes.isolate(keep)
            candidates.isolate(keep)


def _crowded(kernel: torch.Tensor, n_labels: int) -> torch.Tensor:
    """Return the samples (row numbers) that the kernel does not yet set apart from all others.

    A kernel only shrinks as neurons are added. A sample whose similarities to the others sum to e
    changes the information by at most 2 L e / samples if it is held to be isolated, now and later;
    over all samples this stays below a fiftieth of the tie tolerance.
    """
    similarity = kernel.clone().fill_diagonal_(0).sum(1)
    return torch.nonzero(n_labels * similarity > TIE_TOLERANCE / 100)[:, 0]


def _thresholds(
    threshold: float | Mapping[str, float], tasks: Mapping[str, Any]
) -> dict[str, float]:
    if not isinstance(threshold, Mapping):
        threshold = dict.fromkeys(tasks, threshold)
    if set(threshold) != set(tasks):
        raise ConfigError(
            f"threshold names the tasks {sorted(threshold)}, but there are {sorted(tasks)}"
        )
    try:
        values = {task: float(threshold[task]) for task in tasks}
    except (TypeError, ValueError) as error:
        raise ConfigError(f"threshold must be a number of nats, not {threshold!r}") from error
    for value in values.values():
        if not value >= 0:
            raise ConfigError(f"threshold must be at least 0 nats, not {value}")
    return values
