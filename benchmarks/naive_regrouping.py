"""The greedy search without any memory: every candidate set is evaluated from its activations.

That is how the PAM authors' code does it. Two ways to evaluate a set: one density estimate per
class of every label, as theirs, or this project's estimate, with one kernel for all labels.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pam.information import DEFAULT_NOISE_VARIANCE, mutual_information
from pam.merging.regrouping import TIE_TOLERANCE

Information = Callable[[Tensor, Tensor], float]


def information_by_class(x: Tensor, labels: Tensor) -> float:
    """Return the joint information of ``x`` (samples, neurons), one entropy per class."""

    def log_density(part: Tensor) -> float:
        distance = torch.cdist(part, part, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        kernel = torch.exp(-distance / (2 * DEFAULT_NOISE_VARIANCE))
        return float(kernel.mean(1).log().sum()) / len(x)

    whole = log_density(x)
    parts = [x[column == value] for column in labels.T for value in (-1, 1)]
    return sum(log_density(part) for part in parts if len(part)) - labels.shape[1] * whole


def naive_order(
    activations: Tensor, labels: Tensor, information: Information = information_by_class
) -> list[int]:
    """Return the neurons in the order of selection, until all are taken.

    Args:
        activations: float, (samples, neurons).
        labels: -1 or +1, (samples, L).
        information: of a set of neurons about the labels, in nats.
    """
    activations = activations.double()
    order: list[int] = []
    free = list(range(activations.shape[1]))
    while free:
        joint = [information(activations[:, [*order, i]], labels) for i in free]
        lowest = min(joint) + TIE_TOLERANCE
        order.append(free.pop(next(k for k, value in enumerate(joint) if value <= lowest)))
    return order


BY_CLASS, BY_KERNEL = "naive search", "naive search, one kernel per set"
WAYS: dict[str, Information] = {BY_CLASS: information_by_class, BY_KERNEL: mutual_information}
