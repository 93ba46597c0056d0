"""CIFAR-10 (Krizhevsky, 2009) as several tasks: attributes that several of its classes share.

A class of its own is a label that nine images in ten lack. Every attribute here joins classes, so
that it is true of 20 % to 60 % of the images, and it says something of what is seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from pam.data.attributes import PART_OPTIONS, RGB, AttributeTable, Framing, Part, draw, make_dataset
from pam.data.dataset import MultitaskDataset, named_tasks, random_split
from pam.data.download import fetch
from pam.data.image_attributes import open_split, read_attributes
from pam.data.registry import DataSize, register
from pam.data.sources import Folder, Source, TarArchive, check_md5
from pam.errors import DataError
from pam.files import DEFAULT_ROOT
from pam.ranges import Count, Fraction, Whole
from pam.seeds import seeded_generator

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
ATTRIBUTES = {
    "animal": ("bird", "cat", "deer", "dog", "frog", "horse"),
    "flies": ("airplane", "bird"),
    "cargo": ("ship", "truck"),
    "mammal": ("cat", "deer", "dog", "horse"),
    "water": ("frog", "ship"),
    "wheels": ("airplane", "automobile", "truck"),
    "hoofed": ("deer", "horse"),
    "small": ("bird", "cat", "dog", "frog"),
    "road": ("automobile", "truck"),
    "pet": ("cat", "dog"),
    "large": ("airplane", "ship", "truck"),
    "wild": ("bird", "deer", "frog"),
    "four_legs": ("cat", "deer", "dog", "frog", "horse"),
    "carries_people": ("airplane", "automobile", "horse", "ship", "truck"),
    "lays_eggs": ("bird", "frog"),
    "hunts": ("cat", "dog", "frog"),
    "tame": ("cat", "dog", "horse"),
    "forest": ("bird", "deer"),
    "at_home": ("automobile", "cat", "dog"),
    "crosses_seas": ("airplane", "ship"),
}
"""Attribute -> the classes that have it. The default tasks use the first fifteen."""

LABELS_PER_TASK = 3
DEFAULT_TASKS = {
    task: list(ATTRIBUTES)[3 * place : 3 * place + LABELS_PER_TASK]
    for place, task in enumerate("ABCDE")
}
SIZE = 32
POOL = 50_000
"""Images that CIFAR-10 has outside its test part."""

PICTURES = "cifar10_attributes"
RECORDS = "cifar-10-batches-bin"
ARCHIVE = "cifar-10-binary.tar.gz"
ADDRESS = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
BATCHES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_PIXELS = RGB * SIZE * SIZE


def _size(options: Mapping[str, Any]) -> DataSize:
    pool = POOL // 2 if options["half"] else POOL
    rest = pool - round(options["validation_fraction"] * pool)
    return DataSize((RGB, SIZE, SIZE), options["train_images"] or rest)


@register(
    "cifar10_attributes",
    title="CIFAR-10 (attributes)",
    paper="Krizhevsky, 2009",
    tasks=("A", "B", "C", "D", "E"),
    train_size="train_images",
    forecast=_size,
)
def cifar10_attributes(
    root: Path | None = None,
    *,
    download: bool = False,
    train_images: Count | None = None,
    validation_images: Count | None = None,
    test_images: Count | None = None,
    validation_fraction: Fraction = 0.2,
    half: Literal["first", "second"] | None = None,
    seed: Whole = 0,
    tasks: Mapping[str, list[str]] | None = None,
) -> MultitaskDataset:
    """Return CIFAR-10's images, 32 x 32 RGB, with the labels ``ATTRIBUTES``.

    Args:
        root: folder that has ``cifar10_attributes``, the images as pictures laid out as those of
            ``image_attributes`` with a column per class; or has (or gets) CIFAR-10's binary
            version, ``cifar-10-binary.tar.gz`` or unpacked ``cifar-10-batches-bin``. By default
            the folder ``data`` of the working folder.
        download: fetch the binary version if neither is there.
        train_images: number of images of the training part, drawn at random; all by default.
        validation_images: likewise of the validation part.
        test_images: likewise of the test part, which is CIFAR-10's own.
        validation_fraction: share of the images that are not for the test that is for validation.
        half: take training and validation images from the first or the second half of CIFAR-10's
            50,000 alone, so that two data sets share none; None takes them from all.
        seed: decides the validation images, and which images are drawn.
        tasks: task name -> attributes, as names; tasks may share attributes. By default ``A`` to
            ``E`` have three each, in the order of ``ATTRIBUTES``.

    Raises:
        ConfigError: if an option is outside its range or a task cannot be used.
        DataError: if a file is missing or damaged, or the download fails.
    """
    counts = dict(zip(PART_OPTIONS, (train_images, validation_images, test_images), strict=True))
    chosen = named_tasks(DEFAULT_TASKS if tasks is None else tasks, list(ATTRIBUTES))
    train, test = open_splits(DEFAULT_ROOT if root is None else root, download)
    kept, taken = random_split(
        _half(len(train[1].files), half), validation_fraction, _generator("validation", seed)
    )
    rows = {"train": kept, "validation": taken, "test": torch.arange(len(test[1].files))}
    parts = {
        part: Part(
            *(test if part == "test" else train),
            draw(of_part, counts[f"{part}_images"], part, _generator(f"{part} images", seed)),
        )
        for part, of_part in rows.items()
    }
    split = {"validation_fraction": validation_fraction, "half": half, "seed": seed}
    return make_dataset("cifar10_attributes", parts, Framing(SIZE), chosen, counts | split)


def open_splits(root: Path, download: bool) -> list[tuple[Source, AttributeTable]]:
    """Return images and attributes of CIFAR-10's training and test images, no image read yet.

    Raises:
        DataError: if a file is missing or damaged, or the download fails.
    """
    if (root / PICTURES).is_dir():
        return [_open_pictures(root / PICTURES, split) for split in BATCHES]
    if not (root / RECORDS).is_dir():
        archive = root / ARCHIVE
        if download:
            fetch([ADDRESS], archive, MD5)
        elif not archive.is_file():
            raise DataError(
                f"{root} has neither {PICTURES}/ nor {ARCHIVE} nor {RECORDS}/; pass download: true "
                f"to fetch {ADDRESS}, or --root FOLDER where FOLDER holds one of them"
            )
        check_md5(archive, MD5, "delete it and download it again (download: true)")
    return [_open_records(root, names) for names in BATCHES.values()]


def attribute_labels(classes: Tensor) -> Tensor:
    """Return int8 (images, attributes), -1 or +1, of classes, int64 (images,), by number."""
    joined = torch.tensor(
        [[1 if name in members else -1 for members in ATTRIBUTES.values()] for name in CLASSES],
        dtype=torch.int8,
    )
    return joined[classes]


class Records:
    """The images of CIFAR-10's binary batches, as files ``<batch>/<number>`` in the PPM format.

    Args:
        batches: batch -> uint8 (images, 3073): the class, then red, green and blue, row by row.
        path: where the batches lie, for messages.
    """

    def __init__(self, batches: Mapping[str, Tensor], path: Path) -> None:
        self._images = {
            f"{batch}/{number}": record[1:]
            for batch, records in batches.items()
            for number, record in enumerate(records, start=1)
        }
        self.path = path

    def locate(self, name: str) -> str:
        return f"{self.path}/{name}"

    def __contains__(self, name: str) -> bool:
        return name in self._images

    def __iter__(self) -> Iterator[str]:
        return iter(self._images)

    def read(self, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        header = f"P6 {SIZE} {SIZE} 255\n".encode()
        for position, name in enumerate(names):
            pixels = self._images[name].view(RGB, SIZE, SIZE).permute(1, 2, 0)
            yield position, header + pixels.contiguous().numpy().tobytes()


def _open_records(root: Path, names: Sequence[str]) -> tuple[Source, AttributeTable]:
    folder = root / RECORDS
    is_folder = folder.is_dir()
    files: Source = Folder(folder) if is_folder else TarArchive(root / ARCHIVE, RECORDS, names)
    for name in names:
        if name not in files:
            raise DataError(f"{files.locate(name)} does not exist")
    contents = dict(files.read(names))
    batches = {
        name: _records(contents[position], files.locate(name))
        for position, name in enumerate(names)
    }
    source = Records(batches, folder if is_folder else root / ARCHIVE)
    classes = torch.cat([records[:, 0] for records in batches.values()]).long()
    return source, _table(str(source.path), list(source), classes)


def _records(content: bytes, where: str) -> Tensor:
    """Return the records of a batch, uint8 (images, 3073)."""
    if not content or len(content) % (1 + _PIXELS):
        raise DataError(f"{where} is damaged: {len(content)} bytes are no whole images of CIFAR-10")
    records = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, 1 + _PIXELS)
    if int(records[:, 0].max()) >= len(CLASSES):
        raise DataError(f"{where} is damaged: it has a class above {len(CLASSES) - 1}")
    return records


def _open_pictures(folder: Path, split: str) -> tuple[Source, AttributeTable]:
    source = open_split(folder, split)
    if source is None:
        raise DataError(f"{folder} has no split '{split}'")
    table = read_attributes(source)
    if sorted(table.label_names) != sorted(CLASSES):
        raise DataError(f"{table.path} must have one column per class: {', '.join(CLASSES)}")
    has = table.labels[:, [table.label_names.index(name) for name in CLASSES]] == 1
    for line, classes in zip(table.lines, has.sum(1).tolist(), strict=True):
        if classes != 1:
            raise DataError(f"{table.path}, line {line}: an image of {classes} classes, not of 1")
    return source, _table(table.path, table.files, has.int().argmax(1), table.lines)


def _table(
    path: str, files: list[str], classes: Tensor, lines: list[int] | None = None
) -> AttributeTable:
    numbers = lines or list(range(1, len(files) + 1))
    return AttributeTable(path, list(ATTRIBUTES), files, numbers, attribute_labels(classes))


def _half(images: int, half: str | None) -> Tensor:
    """Return the rows of one half of the images, the same for every seed; all rows for None."""
    first, second = random_split(torch.arange(images), 0.5, _generator("halves"))
    return {"first": first, "second": second}.get(half or "", torch.arange(images))


def _generator(*purpose: str | int) -> torch.Generator:
    return seeded_generator("cifar10_attributes", *purpose)
