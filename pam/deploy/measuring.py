"""What is measured of an exported file itself: that it is right, how right, and how fast."""

from pathlib import Path

import numpy as np
import torch

from pam.cost import Spread, time_interleaved, torch_threads
from pam.data import MultitaskDataset
from pam.deploy.model import Model
from pam.errors import DataError
from pam.networks import GroupedNetwork

TOLERANCE = 1e-5
"""Largest difference between a score of the file and the network's."""

IMAGES = 64
_BATCH_SIZES = (1, IMAGES)
_BATCH = 128


def check(model: Model, network: GroupedNetwork, dataset: MultitaskDataset, path: Path) -> float:
    """Return the largest difference between the scores of a file and those of its network.

    Both see the first 64 test images, in the same batches of 1 and of 64; the file gets pixels.

    Args:
        model: the file, opened again.
        network: what it was made from.
        dataset: gives the images.
        path: what the file is to be called, for the error.

    Raises:
        DataError: if a score differs by more than :data:`TOLERANCE`, or is no number.
    """
    largest = 0.0
    for size in _BATCH_SIZES:
        batches = dataset.test.images[:IMAGES].split(size)
        made = [model.scores(batch.numpy()) for batch in batches]
        with torch.inference_mode():
            wanted = [
                network(dataset.normalise(batch), list(model.about.tasks)) for batch in batches
            ]
        for task in model.about.tasks:
            differences = [
                np.abs(ours[task] - theirs[task].numpy()).max()
                for ours, theirs in zip(made, wanted, strict=True)
            ]
            difference = float(np.max(differences))
            # A score that is no number must not pass.
            if not difference <= TOLERANCE:
                raise DataError(
                    f"{path} is not kept: at batch size {size} a score of task '{task}' differs "
                    f"from the network's by {difference:.1e}, more than {TOLERANCE:.0e}"
                )
            largest = max(largest, difference)
    return largest


def accuracies(model: Model, dataset: MultitaskDataset) -> dict[str, float]:
    """Return task -> accuracy of a file on the test part, as :func:`pam.cost.task_accuracy`."""
    right = dict.fromkeys(model.about.tasks, 0)
    split = dataset.test
    batches = zip(split.images.split(_BATCH), split.labels.split(_BATCH), strict=True)
    for images, labels in batches:
        for task, score in model.scores(images.numpy()).items():
            wanted = labels[:, dataset.tasks[task]].numpy()
            right[task] += int((score * wanted > 0).sum())
    return {task: n / (len(split) * len(dataset.tasks[task])) for task, n in right.items()}


def time_model(model: Model, rounds: int, threads: int) -> Spread:
    """Return how long a file takes for one image.

    Args:
        model: the file; ONNX Runtime got its threads when it was opened.
        rounds: timed passes.
        threads: of torch.

    Raises:
        ConfigError: if ``rounds`` is below 1.
    """
    shape = (1, *model.about.input_shape)
    image = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with torch_threads(threads), torch.inference_mode():
        times = time_interleaved({"file": lambda: model.run(image)}, rounds=rounds)
    return times["file"].spread
