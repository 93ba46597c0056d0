"""The training images that information and correlations are estimated from."""

from typing import NamedTuple

from torch import Tensor

from pam.data import MultitaskDataset
from pam.merging.activations import sample_index, task_labels


class Sample(NamedTuple):
    """Images and labels of some training images.

    Attributes:
        images: normalised float (samples, channels, height, width).
        labels: task -> ±1 int8 (samples, labels of the task).
    """

    images: Tensor
    labels: dict[str, Tensor]


def draw_sample(data: MultitaskDataset, samples: int, seed: int) -> Sample:
    """Return training images drawn with a seed, all of them if there are no more than asked for."""
    index = sample_index(data, min(samples, len(data.train)), seed)
    return Sample(data.normalise(data.train.images[index]), task_labels(data, index, data.tasks))
