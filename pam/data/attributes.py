"""Images with a table of binary attributes: read into a data set and its parts."""

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pam.data.dataset import PARTS, MultitaskDataset, Split, channel_statistics
from pam.data.registry import DataSize
from pam.data.sources import Source
from pam.errors import ConfigError, DataError
from pam.names import near_file
from pam.pictures import decode_image
from pam.text_files import UNSHOWN

if TYPE_CHECKING:
    from PIL import Image

RGB = 3
PART_OPTIONS = tuple(f"{part}_images" for part in PARTS)
"""How options name the number of images of every part."""


@dataclass(frozen=True)
class Framing:
    """What of an image is kept, and at which size.

    Attributes:
        size: height and width of the result in pixels; None leaves them as they are.
        crop: side of the centre square that is kept, in pixels; None keeps the whole image.
    """

    size: int | None
    crop: int | None = None

    def apply(self, image: "Image.Image") -> "Image.Image":
        """Return the framed image, resized with antialiased bilinear interpolation.

        Raises:
            DataError: if the image is smaller than the crop.
        """
        from PIL import Image

        if self.crop is not None:
            if min(image.size) < self.crop:
                raise DataError(
                    f"is {image.width} x {image.height} pixels, too small to crop to {self.crop}"
                )
            left, top = ((side - self.crop) // 2 for side in image.size)
            image = image.crop((left, top, left + self.crop, top + self.crop))
        if self.size is None:
            return image
        return image.resize((self.size, self.size), Image.Resampling.BILINEAR)


def read_images(source: Source, names: list[str], framing: Framing, description: str) -> Tensor:
    """Return images of files, uint8 (files, 3, height, width), in the order of the names.

    Grey images get three equal channels; transparency is ignored.

    Raises:
        DataError: if a file cannot be read or decoded, or images differ in size; names the file.
    """
    from tqdm import tqdm

    images: np.ndarray | None = None
    files = source.read(names)
    silent = not sys.stderr.isatty()
    for position, content in tqdm(files, description, len(names), unit="image", disable=silent):
        where = source.locate(names[position])
        picture = decode_image(content, "RGB", where)
        try:
            pixels = np.asarray(framing.apply(picture)).transpose(2, 0, 1)
        except DataError as error:
            raise DataError(f"{where} {error}") from error
        if images is None:
            images = np.empty((len(names), *pixels.shape), dtype=np.uint8)
        elif pixels.shape != images.shape[1:]:
            height, width = pixels.shape[1:]
            raise DataError(
                f"{where} is {width} x {height} pixels, others are {images.shape[3]} x "
                f"{images.shape[2]}; give the option 'size' to resize all images"
            )
        images[position] = pixels
    if images is None:
        raise DataError(f"{description} has no images")
    return torch.from_numpy(images)


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
        for position, name in enumerate(names, start=1):
            if not name:
                raise DataError(
                    f"{path}: attribute {position} of {len(names)} has no name; does the line of "
                    f"names end with a separator?"
                )
            if UNSHOWN.search(name):
                raise DataError(
                    f"{path}: attribute {position} of {len(names)} is called {name!r}, which "
                    f"cannot be shown"
                )
            if (earlier := names.index(name) + 1) < position:
                raise DataError(
                    f"{path}: the attributes {earlier} and {position} are both called '{name}'"
                )
        files: dict[str, int] = {}
        labels = array("b")
        for row in rows:
            if row.file in files:
                raise DataError(
                    f"{path}, line {row.line}: {row.file} is already in line {files[row.file]}"
                )
            if len(row.labels) != len(names):
                more = (
                    "; does the line end with a separator?" if len(row.labels) > len(names) else ""
                )
                raise DataError(
                    f"{path}, line {row.line}: {len(row.labels)} values "
                    f"for the {len(names)} attributes of {row.file}{more}"
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

    Normalisation is the mean and standard deviation of every channel over the training part; of a
    channel that never changes, 1.

    Raises:
        DataError: if an image is missing or cannot be used.
    """
    splits: dict[str, Split] = {}
    for source in {id(part.source): part.source for part in parts.values()}.values():
        splits |= _read_splits(
            {which: part for which, part in parts.items() if part.source is source}, framing
        )
    mean, std = channel_statistics(splits["train"].images)
    std = [one or 1.0 for one in std]
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
                f"{near_file(file, source)}"
            )
    images = read_images(source, files, framing, " + ".join(parts))
    pieces = images.split([len(part.rows) for part in parts.values()])
    return {
        name: Split(piece, table.labels[part.rows])
        for (name, part), piece in zip(parts.items(), pieces, strict=True)
    }
