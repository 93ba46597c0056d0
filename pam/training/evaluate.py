"""Accuracy per task: the share of right signs over images and labels."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from pam.data.dataset import MultitaskDataset, Split
from pam.errors import ShapeError
from pam.networks.grouped import GateFunction, ReaderGate

BATCH_SIZE = 128
"""Images of a pass: few enough that the maps of a layer stay in the cache."""


def task_accuracies(
    network: nn.Module,
    dataset: MultitaskDataset,
    split: Split,
    gate: GateFunction | ReaderGate | None = None,
) -> dict[str, float]:
    """Return task -> accuracy in [0, 1]: the mean over images and labels of ``sign(score) == y``.

    A score of exactly 0 has no sign and counts as wrong, for either label (sec. 1.3 of the
    authors' code: accuracy compares signs). The network runs in evaluation mode and is left in
    the mode it came in.

    Args:
        network: maps normalised float32 images to task -> scores (samples, labels of the task):
            a :class:`GroupedNetwork` or one of its sub-networks.
        dataset: gives the normalisation and the label columns of the tasks.
        split: the part to evaluate on.
        gate: passed on to a grouped network's ``forward``.

    Raises:
        ShapeError: if a score has no matching labels in the data set.
    """
    options = {} if gate is None else {"gate": gate}
    device = next(chain(network.parameters(), network.buffers())).device
    right: Counter[str] = Counter()
    with torch.inference_mode(), evaluation_mode(network):
        for images, labels in zip(
            split.images.split(BATCH_SIZE), split.labels.split(BATCH_SIZE), strict=True
        ):
            scores = network(dataset.normalise(images.to(device)), **options)
            for task, score in scores.items():
                wanted = labels[:, dataset.tasks.get(task, [])].to(score.device)
                check_outputs(task, score, wanted)
                right[task] += int((score * wanted > 0).sum())
    return {task: n / (len(split) * len(dataset.tasks[task])) for task, n in right.items()}


def check_outputs(task: str, scores: Tensor, labels: Tensor) -> None:
    """Refuse scores that have not one column per label: they would be compared all the same.

    Raises:
        ShapeError: if they have not.
    """
    if scores.shape != labels.shape:
        raise ShapeError(
            f"task '{task}' has {scores.shape[1]} outputs in the network "
            f"and {labels.shape[1]} labels in the data"
        )


@contextmanager
def evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; every submodule gets its own mode back."""
    modes = {module: module.training for network in networks for module in network.modules()}
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
