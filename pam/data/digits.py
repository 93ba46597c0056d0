"""Strips of scikit-learn's handwritten digits: small, and part of its installation."""

from collections.abc import Mapping
from pathlib import Path

import torch

from pam.data.dataset import MultitaskDataset
from pam.data.registry import register
from pam.data.strips import ItemSource, StripOptions, Tile, make_dataset, split_items, strip_size
from pam.ranges import Count, Fraction, Whole
from pam.seeds import seeded_generator

_BRIGHTEST = 16
_TEST_FRACTION = 0.2


@register("digits", tasks=("A", "B"), train_size="train_strips", forecast=strip_size)
def digits(
    root: Path | None = None,
    *,
    tile: Tile = 16,
    train_strips: Count = 4000,
    validation_strips: Count = 1000,
    test_strips: Count = 2000,
    items_per_strip: Count = 4,
    validation_fraction: Fraction = 0.25,
    seed: Whole = 0,
    tasks: Mapping[str, list[int]] | None = None,
) -> MultitaskDataset:
    """Return strips of the 1797 digits of ``sklearn.datasets.load_digits`` (8 x 8 pixels).

    A fifth of each class, the same for every seed, is kept for the test part; by default a
    quarter of the rest is for validation, so items are split 60 : 20 : 20.

    Args:
        root: ignored; the data come with scikit-learn.
        tile: height and width of an item in a strip, in pixels.
        train_strips: strips of the training part.
        validation_strips: strips of the validation part.
        test_strips: strips of the test part.
        items_per_strip: items side by side.
        validation_fraction: share of the items outside the test part that are for validation.
        seed: decides the validation items and which items meet in a strip.
        tasks: task name -> digits; by default ``A`` has 0-4 and ``B`` 5-9.

    Raises:
        ConfigError: if an option is outside its range.
    """
    counts = train_strips, validation_strips, test_strips
    options = StripOptions(tile, *counts, items_per_strip, validation_fraction, seed)
    return make_dataset("digits", digit_items(), options, tasks)


def digit_items() -> ItemSource:
    """Return the single digits, grey values scaled from 0..16 to 0..255, and their test items."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images).mul(255 / _BRIGHTEST).round().to(torch.uint8)
    classes = torch.from_numpy(bunch.target).to(torch.int64)
    generator = seeded_generator("digits", "test items")
    pool, test = split_items(torch.arange(len(classes)), classes, _TEST_FRACTION, generator)
    return ItemSource(images, classes, [str(digit) for digit in range(10)], pool, test)
