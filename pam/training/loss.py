"""The objective of the paper: mean squared error between tanh scores and ±1 labels."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F

from pam.errors import ShapeError


def multitask_loss(scores: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Tensor:
    """Return the sum over tasks of the mean squared error over samples and the task's labels.

    A sum of per-task means, not one mean over all labels: the gradient of a unit that only one
    task uses is then the same in a multitask network as in that task's own network.

    Args:
        scores: task -> float (samples, labels of the task), in (-1, 1).
        labels: task -> float (samples, labels of the task), -1 or +1.

    Raises:
        ShapeError: for a task without labels, or with another number of outputs than labels.
    """
    losses = [_squared_error(task, score, labels) for task, score in scores.items()]
    return sum(losses[1:], start=losses[0])


def _squared_error(task: str, score: Tensor, labels: Mapping[str, Tensor]) -> Tensor:
    if task not in labels:
        raise ShapeError(f"there are no labels for task '{task}' of the network")
    # Otherwise a single output would be compared with every label, silently.
    if score.shape != labels[task].shape:
        raise ShapeError(
            f"task '{task}' has {score.shape[1]} outputs in the network "
            f"and {labels[task].shape[1]} labels in the data"
        )
    return F.mse_loss(score, labels[task])
