"""Synthetic cartoon faces with 15 binary attributes: a stand-in for photographs of people.

The faces are drawn, not photographed; results on them say nothing about real faces. They have the
shape of the LFW experiments (five tasks, so 31 combinations of tasks), need no download, and the
correlation between the labels of different tasks is a parameter.
"""

from collections.abc import Mapping
from math import ceil, sqrt
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from pam.data.attributes import PART_OPTIONS, picture_size
from pam.data.cartoon_drawing import ATTRIBUTES, draw_faces, draw_looks
from pam.data.dataset import (
    PARTS,
    MultitaskDataset,
    Split,
    channel_statistics,
    consecutive_tasks,
    named_tasks,
)
from pam.data.registry import register
from pam.errors import ConfigError
from pam.ranges import BelowOne, Count, Whole
from pam.seeds import seeded_generator

LABELS_PER_TASK = 3
PAIR = (*("glasses", "dark hair", "open mouth", "scarf"), *("hat", "long hair", "smiling", "beard"))
"""Labels of two tasks that overlap: the first has the first half, the second has the last ones."""

DEFAULT_TASKS = consecutive_tasks(*[LABELS_PER_TASK] * 5)
# Faces are drawn so many at a time, from random numbers of their own: face i of a part does not
# depend on how many there are, and what is drawn on fits a processor's cache.
_CHUNK = 64

Tasks = Mapping[str, list[int | str]]


@register(
    "cartoon_faces",
    title="cartoon faces (synthetic)",
    tasks=("A", "B", "C", "D", "E"),
    tasks_with={"overlap": ("A", "B")},
    train_size="train_images",
    forecast=picture_size,
)
def cartoon_faces(
    root: Path | None = None,
    *,
    size: Annotated[int, Field(ge=16)] = 32,
    train_images: Count = 6000,
    validation_images: Count = 1500,
    test_images: Count = 2000,
    correlation: BelowOne = 0.5,
    overlap: Annotated[float, Field(ge=0, le=1, multiple_of=0.25)] | None = None,
    noise: BelowOne = 0.05,
    seed: Whole = 0,
    tasks: Tasks | None = None,
) -> MultitaskDataset:
    """Return synthetic faces, uint8 (images, 3, size, size), with the labels ``ATTRIBUTES``.

    Normalisation is the mean and the standard deviation of every channel of the training part.

    Args:
        root: ignored; the faces are drawn.
        size: height and width of an image in pixels.
        train_images: images of the training part.
        validation_images: images of the validation part.
        test_images: images of the test part.
        correlation: tetrachoric correlation, in [0, 1), of the first labels of the five default
            tasks with one another, of their second labels, and of their third; 0 makes all labels
            independent. Other ``tasks`` leave the labels of the faces as they are.
        overlap: share, in quarters, of their labels that two tasks ``A`` and ``B`` of four labels
            each have in common: 1 makes them identical, 0 independent if ``correlation`` is 0. By
            default there are five tasks, or what ``tasks`` says.
        noise: standard deviation of the noise of every pixel value, as a share of 255.
        seed: decides labels, looks and noise.
        tasks: task name -> attributes, as names or columns; tasks may share attributes. By
            default ``A`` to ``E`` have three each, in the order of ``ATTRIBUTES``.

    Raises:
        ConfigError: if an option is outside its range, a task cannot be used, or both ``overlap``
            and ``tasks`` are given.
    """
    counts = dict(zip(PART_OPTIONS, (train_images, validation_images, test_images), strict=True))
    looks = {"size": size, "correlation": correlation, "noise": noise, "seed": seed}
    related: dict[str, object] = {}
    if overlap is not None:
        if tasks is not None:
            raise ConfigError("options 'overlap' and 'tasks' both name the tasks; leave one out")
        tasks, related = overlapping_tasks(overlap), {"overlap": overlap}
    chosen = named_tasks(DEFAULT_TASKS if tasks is None else tasks, ATTRIBUTES)
    parts = {part: make_part(part, counts[f"{part}_images"], **looks) for part in PARTS}
    mean, std = channel_statistics(parts["train"].images)
    return MultitaskDataset(
        name="cartoon_faces",
        tasks=chosen,
        label_names=list(ATTRIBUTES),
        mean=mean,
        std=std,
        options=counts | looks | related,
        **parts,
    )


def overlapping_tasks(overlap: float) -> dict[str, list[str]]:
    """Return two tasks of four labels each, of which this share is in both."""
    labels = len(PAIR) // 2
    start = round((1 - overlap) * labels)
    return {"A": list(PAIR[:labels]), "B": list(PAIR[start : start + labels])}


def make_part(
    part: str, images: int, *, size: int, correlation: float, noise: float, seed: int
) -> Split:
    """Return the first so many faces of a part; parts have independent faces.

    The options are those of :func:`cartoon_faces`.
    """
    chunks = [
        _make_chunk(part, chunk, size, correlation, noise, seed)
        for chunk in range(ceil(images / _CHUNK))
    ]
    pictures, labels = (torch.cat(tensors)[:images] for tensors in zip(*chunks, strict=True))
    return Split(pictures.contiguous(), labels.contiguous())


def draw_labels(faces: int, correlation: float, generator: torch.Generator) -> Tensor:
    """Return random labels, bool (faces, 15), each true with probability 1/2.

    Label k of one default task and label k of another are the signs of normal variables with this
    correlation, so their phi correlation is ``2 / pi * asin(correlation)``; all other pairs
    of labels are independent.

    Args:
        faces: rows.
        correlation: in [0, 1).
        generator: source of randomness.
    """
    normal = {"generator": generator, "dtype": torch.float64}
    tasks = len(ATTRIBUTES) // LABELS_PER_TASK
    common = torch.randn(faces, 1, LABELS_PER_TASK, **normal)
    separate = torch.randn(faces, tasks, LABELS_PER_TASK, **normal)
    return (sqrt(correlation) * common + sqrt(1 - correlation) * separate).flatten(1) > 0


def _make_chunk(
    part: str, chunk: int, size: int, correlation: float, noise: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Return the images and labels of ``_CHUNK`` faces."""

    def generator(purpose: str) -> torch.Generator:
        return seeded_generator("cartoon_faces", purpose, part, chunk, seed)

    # Three sources, so that labels and looks stay the same at every size and noise.
    labels = draw_labels(_CHUNK, correlation, generator("labels"))
    faces = draw_faces(labels, draw_looks(_CHUNK, generator("looks")), size)
    faces += noise * torch.randn(faces.shape, generator=generator("noise"))
    images = faces.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
    return images, torch.where(labels, 1, -1).to(torch.int8)
