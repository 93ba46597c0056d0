"""Images with a table of binary attributes: the table, its parts, and the data set they make."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pam.data.dataset import MultitaskDataset, Split, channel_statistics
from pam.data.images import Framing, read_images
from pam.data.registry import DataSize
from pam.data.sources import Source
from pam.errors import ConfigError, DataError

RGB = 3


class Row(NamedTuple):
    """One line of an attribute file: its number (from 1), the image, and labels -1 or +1."""

    line: int
    file: str
    labels: Sequence[int]


@dataclass(frozen=True)
class AttributeTable:
    """The attributes of many images.

    Attributes:
        path: where the table was read, for messages.
        label_names: one name per label column.
        files: one image name per row, as its source knows it.
        lines: the line of every row.
        labels: int8 (rows, labels), every value -1 or +1.
    """

    path: str
    label_names: list[str]
    files: list[str]
    lines: list[int]
    labels: Tensor

    @classmethod
    def of_rows(
        cls, path: str, label_names: Sequence[str], rows: Iterable[Row]
    ) -> "AttributeTable":
        """Collect rows.

        Raises:
            DataError: if there are none, a name is empty or repeated, an image occurs twice, or a
                row has too few or too many labels.
        """
        names = list(label_names)
        if not names or not all(names) or len(set(names)) < len(names):
            raise DataError(f"{path} needs different, non-empty attribute names, not {names}")
        files: dict[str, int] = {}
        labels = array("b")
        for row in rows:
            if row.file in files:
                raise DataError(
                    f"{path}, line {row.line}: {row.file} is already in line {files[row.file]}"
                )
            if len(row.labels) != len(names):
                raise DataError(
                    f"{path}, line {row.line}: {len(row.labels)} values "
                    f"for the {len(names)} attributes of {row.file}"
                )
            files[row.file] = row.line
            labels.extend(row.labels)
        if not files:
            raise DataError(f"{path} names no images")
        table = torch.frombuffer(labels, dtype=torch.int8).view(len(files), len(names))
        return cls(path, names, list(files), list(files.values()), table)


class Part(NamedTuple):
    """The images of one part of a data set: rows (int64) of a table."""

    source: Source
    table: AttributeTable
    rows: Tensor


def make_dataset(
    name: str,
    parts: Mapping[str, Part],
    framing: Framing,
    tasks: dict[str, list[int]],
    options: dict[str, object],
) -> MultitaskDataset:
    """Read the images and return the data set.

    Normalisation is the mean and standard deviation of every channel over the training part.

    Args:
        name: name of the data set.
        parts: ``train``, ``validation`` and ``test``.
        framing: how to crop and resize.
        tasks: task name -> label columns, checked.
        options: for provenance.

    Raises:
        DataError: if an image is missing or cannot be used.
    """
    splits: dict[str, Split] = {}
    for source in {id(part.source): part.source for part in parts.values()}.values():
        splits |= _read_splits(
            {which: part for which, part in parts.items() if part.source is source}, framing
        )
    mean, std = channel_statistics(splits["train"].images)
    return MultitaskDataset(
        name=name,
        tasks=tasks,
        label_names=parts["train"].table.label_names,
        mean=mean,
        std=std,
        options=options,
        **splits,
    )


def picture_size(options: Mapping[str, Any], whole: int | None = None) -> DataSize:
    """Return what training depends on of square RGB images that are made with these options.

    Args:
        options: of the data set.
        whole: training images if the options ask for all of them.
    """
    side = options["size"]
    shape = None if side is None else (RGB, side, side)
    return DataSize(shape, options["train_images"] or whole)


def first(rows: Tensor, count: int | None, part: str) -> Tensor:
    """Return the first ``count`` rows, all of them for None.

    Raises:
        ConfigError: if there are fewer.
        DataError: if there are none at all.
    """
    if not len(rows):
        raise DataError(f"the {part} part has no images")
    if count is not None and count > len(rows):
        raise ConfigError(
            f"option '{part}_images' is {count}, but the {part} part has only {len(rows)} images"
        )
    return rows[:count]


def draw(rows: Tensor, count: int | None, part: str, generator: torch.Generator) -> Tensor:
    """Return ``count`` rows drawn at random, in their old order; all of them for None.

    Whatever the count, the rows come from one shuffle, so fewer are among more.

    Raises:
        ConfigError: if there are fewer.
        DataError: if there are none at all.
    """
    shuffled = rows[torch.randperm(len(rows), generator=generator)]
    return first(shuffled, count, part).sort().values


def _read_splits(parts: Mapping[str, Part], framing: Framing) -> dict[str, Split]:
    """Read parts of one source and one table, in one pass: an archive is slow to read again."""
    source, table, _ = next(iter(parts.values()))
    rows = torch.cat([part.rows for part in parts.values()])
    files = [table.files[row] for row in rows.tolist()]
    for file, row in zip(files, rows.tolist(), strict=True):
        if file not in source:
            raise DataError(
                f"{table.path}, line {table.lines[row]}: {source.locate(file)} does not exist"
            )
    images = read_images(source, files, framing, " + ".join(parts))
    pieces = images.split([len(part.rows) for part in parts.values()])
    return {
        name: Split(piece, table.labels[part.rows])
        for (name, part), piece in zip(parts.items(), pieces, strict=True)
    }
