"""Mean and standard deviation of the channels of images, without rounding on the way."""

from math import sqrt

import torch
from torch import Tensor

_WHITE = 255
_CHUNK = 256


def channel_statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation per channel, in units of a pixel value divided by 255.

    Summed as integers, so the result depends neither on the order of summation nor on the number
    of threads.

    Args:
        images: uint8 (samples, channels, height, width).
    """
    sums = [0] * images.shape[1]
    squares = [0] * images.shape[1]
    for chunk in images.split(_CHUNK):
        values = chunk.to(torch.int64)
        for channel, total in enumerate(values.sum((0, 2, 3)).tolist()):
            sums[channel] += total
        for channel, total in enumerate(values.square_().sum((0, 2, 3)).tolist()):
            squares[channel] += total
    n = images.numel() // images.shape[1]
    variances = [n * square - total**2 for square, total in zip(squares, sums, strict=True)]
    mean = [total / (_WHITE * n) for total in sums]
    return mean, [sqrt(variance) / (_WHITE * n) for variance in variances]
