"""Training by the paper's protocol: tanh outputs, mean squared error, Nesterov SGD."""

from pam.training.evaluate import task_accuracies
from pam.training.loop import batches, descend, fit, multitask_loss, nesterov
from pam.training.progress import Epoch
from pam.training.schedule import Schedule, Stage, schedule_from

__all__ = [
    "Epoch",
    "Schedule",
    "Stage",
    "batches",
    "descend",
    "fit",
    "multitask_loss",
    "nesterov",
    "schedule_from",
    "task_accuracies",
]
