"""The objective of the paper: mean squared error between tanh scores and ±1 labels."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F


def multitask_loss(scores: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Tensor:
    """Return the sum over tasks of the mean squared error over samples and the task's labels.

    A sum of per-task means, not one mean over all labels: the gradient of a unit that only one
    task uses is then the same in a multitask network as in that task's own network.

    Args:
        scores: task -> float (samples, labels of the task), in (-1, 1).
        labels: task -> float (samples, labels of the task), -1 or +1.
    """
    losses = [F.mse_loss(score, labels[task]) for task, score in scores.items()]
    return sum(losses[1:], start=losses[0])
