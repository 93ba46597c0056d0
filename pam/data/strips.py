"""The paper's multi-label images: single items side by side in a strip.

A strip shows ``items_per_strip`` different items on white ground; label ``c`` is +1 if an item of
class ``c`` is among them, else -1. The PAM authors used four Fashion-MNIST items, each enlarged
to 124 x 124 pixels, so 124 x 496 images.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from pam.data.dataset import (
    MultitaskDataset,
    Split,
    channel_statistics,
    check_tasks,
    random_split,
    two_halves,
)
from pam.data.registry import DataSize
from pam.errors import ConfigError
from pam.seeds import seeded_generator

WHITE = 255
# Strips in memory as float32 at a time: 64 MB at the paper's size.
_CHUNK = 256

Tile = Annotated[int, Field(ge=8)]
"""Height and width of an item in a strip, in pixels."""


@dataclass(frozen=True)
class ItemSource:
    """Labelled single-item images, and which of them may be seen in training.

    Attributes:
        images: uint8 (items, height, width), ink on black ground.
        classes: int64 (items,), values 0..len(class_names)-1.
        class_names: one name per class.
        pool: int64 (n,), indices of the items for training and validation.
        test: int64 (m,), indices of the items for the test part.
    """

    images: Tensor
    classes: Tensor
    class_names: list[str]
    pool: Tensor
    test: Tensor


@dataclass(frozen=True)
class StripOptions:
    """How strips are made; every part of the data set has its own items.

    Attributes:
        tile: height and width of an item in a strip, in pixels.
        train_strips, validation_strips, test_strips: strips per part.
        items_per_strip: items side by side.
        validation_fraction: share of the pool's items that only validation strips show.
        seed: decides the validation items and which items meet in a strip.
    """

    tile: int
    train_strips: int
    validation_strips: int
    test_strips: int
    items_per_strip: int
    validation_fraction: float
    seed: int


def strip_size(options: Mapping[str, Any]) -> DataSize:
    """Return what training depends on of strips that are made with these options."""
    tile = options["tile"]
    return DataSize((1, tile, options["items_per_strip"] * tile), options["train_strips"])


def make_dataset(
    name: str, source: ItemSource, options: StripOptions, tasks: Mapping[str, list[int]] | None
) -> MultitaskDataset:
    """Return the strips of a source as a data set.

    Images are uint8 (strips, 1, tile, items_per_strip * tile), labels int8 (strips, classes).
    Normalisation is the authors': pixels divided by 255, minus the mean of the training strips,
    standard deviation left as it is.

    Args:
        name: name of the data set.
        source: items to draw from.
        options: sizes and seed.
        tasks: task name -> classes; by default ``A`` has the first half and ``B`` the rest.

    Raises:
        ConfigError: if a part has too few items for one strip, or for tasks that do not fit.
    """
    n_classes = len(source.class_names)
    chosen = check_tasks(two_halves(n_classes) if tasks is None else tasks, n_classes)
    parts = {
        part: Split(
            render_strips(source.images, strips, options.tile),
            label_strips(source.classes, strips, n_classes),
        )
        for part, strips in choose_items(source, options).items()
    }
    mean, _ = channel_statistics(parts["train"].images)
    return MultitaskDataset(
        name=name,
        tasks=chosen,
        label_names=list(source.class_names),
        mean=mean,
        std=[1.0],
        options=asdict(options),
        **parts,
    )


def choose_items(source: ItemSource, options: StripOptions) -> dict[str, Tensor]:
    """Return the items of every strip: part -> int64 (strips, items_per_strip).

    No item is in two parts, and no item is twice in a strip.

    Raises:
        ConfigError: if a part has too few items for one strip.
    """
    train, validation = split_items(
        source.pool,
        source.classes,
        options.validation_fraction,
        seeded_generator("strips", "validation items", options.seed),
    )
    items = {"train": train, "validation": validation, "test": source.test}
    for part, pool in items.items():
        if len(pool) < options.items_per_strip:
            raise ConfigError(
                f"option 'items_per_strip' is {options.items_per_strip}, "
                f"but the {part} part has only {len(pool)} items"
            )
    return {
        part: draw_strips(
            pool,
            getattr(options, f"{part}_strips"),
            options.items_per_strip,
            seeded_generator("strips", f"{part} strips", options.seed),
        )
        for part, pool in items.items()
    }


def split_items(
    pool: Tensor, classes: Tensor, fraction: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Split items at random, class by class.

    Args:
        pool: int64 (n,), item indices.
        classes: int64 (items,), the class of every item, in the pool or not.
        fraction: share of each class that goes to the second part, rounded.
        generator: source of randomness.

    Returns:
        Two disjoint sorted index tensors that together are the pool.
    """
    halves = [
        random_split(pool[classes[pool] == label], fraction, generator)
        for label in torch.unique(classes[pool])
    ]
    kept, taken = (torch.cat(items).sort().values for items in zip(*halves, strict=True))
    return kept, taken


def draw_strips(
    pool: Tensor, n_strips: int, items_per_strip: int, generator: torch.Generator
) -> Tensor:
    """Deal the shuffled pool out to strips, again and again until there are enough.

    Dealing instead of drawing with replacement uses all items equally often (up to one deal) and
    never puts an item into a strip twice.

    Args:
        pool: int64 (n,), item indices, n >= items_per_strip.
        n_strips: strips to make.
        items_per_strip: items of a strip.
        generator: source of randomness.

    Returns:
        int64 (n_strips, items_per_strip), item indices.
    """
    per_deal = len(pool) // items_per_strip
    deals = []
    for _ in range(-(-n_strips // per_deal)):
        order = torch.randperm(len(pool), generator=generator)[: per_deal * items_per_strip]
        deals.append(pool[order].view(per_deal, items_per_strip))
    return torch.cat(deals)[:n_strips]


def label_strips(classes: Tensor, strips: Tensor, n_classes: int) -> Tensor:
    """Return int8 (strips, n_classes): +1 where the class is among the strip's items, else -1."""
    labels = torch.full((len(strips), n_classes), -1, dtype=torch.int8)
    return labels.scatter_(1, classes[strips], 1)


def render_strips(images: Tensor, strips: Tensor, tile: int) -> Tensor:
    """Draw strips: items inverted, resized (bilinear) and set side by side, left to right.

    Works through the strips in chunks, so that memory beyond the result stays bounded.

    Args:
        images: uint8 (items, height, width), ink on black ground.
        strips: int64 (strips, items_per_strip), item indices.
        tile: height and width of an item in the strip.

    Returns:
        uint8 (strips, 1, tile, items_per_strip * tile), ink on white ground.
    """
    n_strips, per_strip = strips.shape
    result = torch.empty((n_strips, 1, tile, per_strip * tile), dtype=torch.uint8)
    for start in range(0, n_strips, _CHUNK):
        chunk = strips[start : start + _CHUNK]
        tiles = _resize(WHITE - images[chunk.flatten()], tile)
        tiles = tiles.view(len(chunk), per_strip, tile, tile).transpose(1, 2)
        result[start : start + _CHUNK, 0] = tiles.reshape(len(chunk), tile, per_strip * tile)
    return result


def _resize(images: Tensor, tile: int) -> Tensor:
    """Return uint8 (n, height, width) images as uint8 (n, tile, tile)."""
    if images.shape[1:] == (tile, tile):
        return images
    # Antialiasing changes nothing when enlarging; it keeps strokes when tiles are smaller.
    resized = functional.interpolate(
        images.unsqueeze(1).float(), size=(tile, tile), mode="bilinear", antialias=True
    )
    return resized.squeeze(1).round_().clamp_(0, 255).to(torch.uint8)
