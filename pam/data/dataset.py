"""The data set that the rest of the project works on: uint8 images, ±1 labels, named tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import sqrt
from string import ascii_uppercase

import torch
from torch import Tensor

from pam.errors import ConfigError, DataError, ShapeError
from pam.groups import check_task_name

PARTS = ("train", "validation", "test")
DISAGREEMENT = 0.06
"""Share of labels that a network and its pruned one judge differently, at a drop near 1 point."""
DROP_ERROR = 0.15
"""Standard error of a drop that costs at matched accuracy can bear, in percentage points."""

_WHITE = 255
_CHUNK = 256
_TASKS = "option 'tasks'"


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes:
        images: uint8, (samples, channels, height, width).
        labels: int8, (samples, labels), every value -1 or +1.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != torch.uint8:
            raise ShapeError(
                f"images must be uint8 of shape (samples, channels, height, width), "
                f"not {self.images.dtype} {tuple(self.images.shape)}"
            )
        if self.labels.ndim != 2 or len(self.labels) != len(self.images):
            raise ShapeError(
                f"labels must have shape ({len(self.images)}, labels), "
                f"not {tuple(self.labels.shape)}"
            )
        if not len(self.images):
            raise DataError("a data split has no samples")
        if not bool(((self.labels == 1) | (self.labels == -1)).all()):
            raise DataError("labels must be -1 or +1")

    def first(self, samples: int) -> "Split":
        """Return the first samples, without copying any; all if there are no more."""
        return self if samples >= len(self) else Split(self.images[:samples], self.labels[:samples])

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class MultitaskDataset:
    """Images with several binary labels, the labels split into tasks.

    Attributes:
        name: registered name of the data set.
        train, validation, test: disjoint parts; nothing but the final rows sees ``test``.
        tasks: task name -> label columns, e.g. ``{"A": [0, 1, 2], "B": [3, 4]}``.
        label_names: one name per label column.
        mean, std: per-channel normalisation, in units of a pixel value divided by 255.
        options: its options, for provenance.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    tasks: dict[str, list[int]]
    label_names: list[str]
    mean: list[float]
    std: list[float]
    options: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        channels, n_labels = self.train.images.shape[1], self.train.labels.shape[1]
        for part in (self.validation, self.test):
            if part.images.shape[1:] != self.train.images.shape[1:]:
                raise ShapeError(
                    f"the parts of data set '{self.name}' have images of different shapes: "
                    f"{tuple(self.train.images.shape[1:])} and {tuple(part.images.shape[1:])}"
                )
            if part.labels.shape[1] != n_labels:
                raise ShapeError(
                    f"the parts of data set '{self.name}' have {n_labels} and "
                    f"{part.labels.shape[1]} label columns"
                )
        if len(self.mean) != channels or len(self.std) != channels:
            raise ShapeError(f"mean and std of data set '{self.name}' need {channels} values each")
        if not all(std > 0 for std in self.std):
            raise DataError(f"std of data set '{self.name}' must be positive, not {self.std}")
        if len(self.label_names) != n_labels:
            raise ShapeError(f"{len(self.label_names)} label names for {n_labels} labels")
        if not self.tasks:
            raise DataError(f"data set '{self.name}' has no tasks")
        for task, columns in self.tasks.items():
            if not columns:
                raise DataError(f"task '{task}' of data set '{self.name}' has no labels")
            if min(columns) < 0 or max(columns) >= n_labels:
                raise ShapeError(f"task '{task}' names label columns outside 0..{n_labels - 1}")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        _, channels, height, width = self.train.images.shape
        return channels, height, width

    def normalise(self, images: Tensor) -> Tensor:
        """Return float32 images, ``(x / 255 - mean) / std`` per channel, on the images' device."""
        mean = torch.tensor(self.mean, device=images.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(1, -1, 1, 1)
        return images.to(torch.float32).div_(255).sub_(mean).div_(std)

    def task_labels(self, split: Split, task: str) -> Tensor:
        """Return the label columns of one task, int8 (samples, labels of the task)."""
        return split.labels[:, self.tasks[task]]


def drop_error(dataset: MultitaskDataset) -> float:
    """Return about the standard error of a task's drop of validation accuracy, percentage points.

    A drop is the mean, over validation images and the task's labels, of 1 where only the network
    before pruning is right, -1 where only the one after is, and else 0; the two differ on a share
    ``DISAGREEMENT`` of them. Labels of one image count as independent. The task with the fewest
    labels decides.
    """
    labels = min(map(len, dataset.tasks.values()))
    return 100 * sqrt(DISAGREEMENT / (len(dataset.validation) * labels))


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


def random_split(
    items: Tensor, fraction: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the items, int64 (n,), without a random share, and that share; both sorted."""
    shuffled = items[torch.randperm(len(items), generator=generator)]
    count = round(fraction * len(items))
    return shuffled[count:].sort().values, shuffled[:count].sort().values


def consecutive_tasks(*sizes: int) -> dict[str, list[int]]:
    """Return tasks ``A``, ``B``, ... of so many label columns each, in the order of the columns."""
    stops = accumulate(sizes)
    return {
        name: list(range(stop - size, stop))
        for name, size, stop in zip(ascii_uppercase, sizes, stops, strict=False)
    }


def two_halves(n_labels: int) -> dict[str, list[int]]:
    """Return task ``A`` with the first half of the label columns and ``B`` with the rest."""
    return consecutive_tasks(n_labels // 2, n_labels - n_labels // 2)


def check_tasks(
    tasks: Mapping[str, list[int]], n_labels: int, where: str = _TASKS
) -> dict[str, list[int]]:
    """Return tasks as a plain dictionary after checking them; tasks may share labels.

    Args:
        tasks: task name -> label columns, e.g. ``{"A": [0, 1], "B": [1, 2]}``.
        n_labels: label columns that the data set has.
        where: where the tasks stand, for errors.

    Raises:
        ConfigError: if there is no task, a name cannot be used, or columns are missing, repeated
            or outside 0..n_labels-1.
    """
    if not tasks:
        raise ConfigError(f"{where} must map task names to label columns, not {tasks!r}")
    for name, columns in tasks.items():
        check_task_name(name, where)
        if not columns:
            raise ConfigError(f"{where}: task '{name}' needs a list of label columns")
        for column in columns:
            if not 0 <= column < n_labels:
                raise ConfigError(
                    f"{where}: label column {column} of task '{name}' is outside 0..{n_labels - 1}"
                )
        if len(set(columns)) != len(columns):
            raise ConfigError(f"{where}: task '{name}' names a label column twice")
    return {name: list(columns) for name, columns in tasks.items()}


def named_tasks(
    tasks: Mapping[str, Sequence[str | int]], names: Sequence[str], where: str = _TASKS
) -> dict[str, list[int]]:
    """Return task name -> label columns of tasks that name their columns, checked.

    Args:
        tasks: task name -> columns, by name or by number.
        names: the names of all label columns.
        where: where the tasks stand, for errors.

    Raises:
        ConfigError: as :func:`check_tasks`, and for a name that no column has.
    """
    known = {name: column for column, name in enumerate(names)}
    for task, columns in tasks.items():
        for name in columns:
            if isinstance(name, str) and name not in known:
                raise ConfigError(
                    f"{where}: task '{task}' names the column '{name}'; known: {', '.join(names)}"
                )
    numbered = {task: [known.get(c, c) for c in columns] for task, columns in tasks.items()}
    return check_tasks(numbered, len(names), where)
