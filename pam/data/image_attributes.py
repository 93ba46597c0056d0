"""A user's own images with a CSV file of binary attributes per split."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import torch
from pydantic import TypeAdapter

from pam.data.attributes import (
    PART_OPTIONS,
    AttributeTable,
    Framing,
    Part,
    Row,
    draw,
    make_dataset,
    picture_size,
)
from pam.data.dataset import PARTS, MultitaskDataset, named_tasks, random_split
from pam.data.registry import register
from pam.data.sources import Folder, Source, TarArchive
from pam.errors import ConfigError, DataError
from pam.files import DEFAULT_ROOT
from pam.names import near_file
from pam.pictures import SUFFIXES
from pam.ranges import Count, Fraction, Whole
from pam.seeds import seeded_generator
from pam.source.options import check_value
from pam.text_files import csv_rows, decode, read_yaml, shown

ATTRIBUTES = "attributes.csv"
IMAGES = "images"
ARCHIVES = (".tar", ".tar.gz", ".tar.xz")
_VALIDATION_FRACTION = 0.1
_TASKS = TypeAdapter(dict[str, list[str]])
_LABELS = {"0": -1, "-1": -1, "1": 1}


@register("image_attributes", train_size="train_images", forecast=picture_size)
def image_attributes(
    root: Path | None = None,
    *,
    folder: str,
    size: Count | None = None,
    train_images: Count | None = None,
    validation_images: Count | None = None,
    test_images: Count | None = None,
    validation_fraction: Fraction | None = None,
    seed: Whole = 0,
    tasks: Mapping[str, list[str]] | None = None,
) -> MultitaskDataset:
    """Return the images of a folder that has, per split, images and their attributes.

    The splits are ``train``, ``test`` and optionally ``validation``; each is a folder with
    ``images/`` and ``attributes.csv``, or a ``.tar``, ``.tar.gz`` or ``.tar.xz`` of that folder.
    The CSV file has the column ``file`` (a path below ``images``), then one column per attribute
    with values 0 and 1, or -1 and 1.

    Args:
        root: folder that ``folder`` is relative to; by default the folder ``data`` of the working
            folder.
        folder: folder of the splits.
        size: height and width that images are resized to, in pixels; None leaves them as they
            are, and then all must be of one size.
        train_images: number of images of the training part, drawn at random; all by default.
        validation_images: likewise of the validation part.
        test_images: likewise of the test part.
        validation_fraction: share of the training split for validation, 0.1 by default, if there
            is no split ``validation``.
        seed: decides which images are drawn.
        tasks: task name -> attribute columns by name; by default what ``tasks.yaml`` in the
            folder says.

    Raises:
        ConfigError: if an option is outside its range, or tasks are missing or do not fit.
        DataError: if a file is missing or cannot be used.
    """
    counts = dict(zip(PART_OPTIONS, (train_images, validation_images, test_images), strict=True))
    if Path(folder).is_absolute() or ".." in Path(folder).parts:
        raise ConfigError(
            f"option 'folder' must be the name of a folder below the raw data, not {folder!r}"
        )
    where = (DEFAULT_ROOT if root is None else root) / folder
    parts = read_parts(where, validation_fraction, seed)
    chosen = read_tasks(where / "tasks.yaml", tasks, parts["train"].table.label_names)
    for part, (source, table, rows) in parts.items():
        generator = seeded_generator("image_attributes", f"{part} images", seed)
        rows = draw(rows, counts[f"{part}_images"], part, generator)
        parts[part] = Part(source, table, rows)
    split = {"validation_fraction": validation_fraction, "seed": seed}
    options = {"folder": folder, "size": size} | counts | split
    return make_dataset("image_attributes", parts, Framing(size), chosen, options)


def read_parts(folder: Path, validation_fraction: float | None, seed: int) -> dict[str, Part]:
    """Return ``train``, ``validation`` and ``test``, all their rows, no image read yet.

    Raises:
        ConfigError: if the fraction is outside its range, or there is nothing to take it from.
        DataError: if a file is missing or cannot be used, or attributes differ between splits.
    """
    splits = {}
    for split in PARTS:
        source = open_split(folder, split)
        if source is not None:
            table = read_attributes(source)
            splits[split] = Part(source, table, torch.arange(len(table.files)))
        elif split != "validation":
            raise DataError(
                f"{folder} has no split '{split}': neither the folder {split} "
                f"nor {', '.join(split + suffix for suffix in ARCHIVES)}"
            )
    names = splits["train"].table.label_names
    for part in splits.values():
        if part.table.label_names != names:
            raise DataError(
                f"{part.table.path} and {splits['train'].table.path} have different columns"
            )
    if "validation" in splits and validation_fraction is not None:
        raise ConfigError(
            f"option 'validation_fraction' is given, but {folder} has a split 'validation'"
        )
    if "validation" not in splits:
        fraction = _VALIDATION_FRACTION if validation_fraction is None else validation_fraction
        source, table, rows = splits["train"]
        generator = seeded_generator("image_attributes", "validation", seed)
        kept, taken = random_split(rows, fraction, generator)
        splits |= {"train": Part(source, table, kept), "validation": Part(source, table, taken)}
    return {part: splits[part] for part in PARTS}


def read_tasks(
    path: Path, option: Mapping[str, list[str]] | None, names: Sequence[str]
) -> dict[str, list[int]]:
    """Return task name -> label columns, from the option or else from the file.

    Args:
        path: a YAML file, e.g. ``A: [cat, dog]``; it need not exist if there is an option.
        option: task name -> column names.
        names: the names of all columns.

    Raises:
        ConfigError: if there is neither file nor option, or the tasks do not fit.
    """
    if option is not None:
        return named_tasks(option, names)
    if not path.is_file():
        half = (len(names) + 1) // 2
        example = {"A": list(names[:half]), "B": list(names[half:]) or list(names)}
        lines = ", ".join(f"{task}: [{', '.join(columns)}]" for task, columns in example.items())
        raise ConfigError(
            f"{path} does not exist; write there which columns are which task, for example "
            f"{{{lines}}}, or give the same as the option 'tasks'"
        )
    tasks = read_yaml(path)
    check_value(str(path), _TASKS, tasks)
    return named_tasks(tasks, names, str(path))


def open_split(folder: Path, split: str) -> Source | None:
    """Return the files of a split, None if there is no such split.

    Raises:
        DataError: if it is there more than once, or its archive is damaged.
    """
    candidates = [folder / split, *(folder / f"{split}{suffix}" for suffix in ARCHIVES)]
    paths = [path for path in candidates if path.exists()]
    if len(paths) > 1:
        raise DataError(f"{paths[0]} and {paths[1]} both exist; keep one of them")
    if not paths:
        return None
    return Folder(paths[0]) if paths[0].is_dir() else TarArchive(paths[0], split, [ATTRIBUTES])


def read_attributes(source: Source) -> AttributeTable:
    """Return the table of the ``attributes.csv`` of a split.

    Raises:
        DataError: if it is missing, has no column ``file``, or a row cannot be used.
    """
    path = source.locate(ATTRIBUTES)
    if ATTRIBUTES not in source:
        raise DataError(f"{path} does not exist{near_file(ATTRIBUTES, source)}")
    text = decode(next(source.read([ATTRIBUTES]))[1], path)
    rows = csv_rows(text, path)
    _, header = next(rows, (0, []))
    columns = [name.strip() for name in header]
    if columns[:1] != ["file"] or len(columns) < 2:
        raise DataError(
            f"{path} must start with a line of the column 'file' and one per attribute, separated "
            f"by commas, not with {shown(text.partition(chr(10))[0].strip())}"
        )
    table = AttributeTable.of_rows(path, columns[1:], _parse(rows, columns[1:], path))
    _tell_unused(source, table)
    return table


def _tell_unused(source: Source, table: AttributeTable) -> None:
    """Say how many pictures have no row, on the standard error."""
    paths = [path for path in map(PurePosixPath, source) if _is_picture(path)]
    unused = sorted({*map(str, paths)}.difference(table.files))
    if unused:
        print(
            f"pam: {len(unused)} of {len(paths)} pictures have no row in {table.path} and are left "
            f"out, the first is {unused[0]}",
            file=sys.stderr,
        )


def _is_picture(path: PurePosixPath) -> bool:
    hidden = path.name.startswith(".")
    return path.parts[0] == IMAGES and path.suffix.lower() in SUFFIXES and not hidden


def _parse(rows: Iterator[tuple[int, list[str]]], names: list[str], path: str) -> Iterator[Row]:
    negatives: set[str] = set()
    for line, (file, *texts) in rows:
        values = [text.strip() for text in texts]
        for name, value in zip(names, values, strict=False):
            if value not in _LABELS:
                raise DataError(
                    f"{path}, line {line}: {value!r} in column '{name}' is not 0 or 1 (or -1 or 1)"
                )
        negatives.update({"0", "-1"}.intersection(values))
        # Beside -1, a 0 would most likely mean that the attribute is not known.
        if len(negatives) > 1:
            raise DataError(f"{path}, line {line}: the file has both 0 and -1")
        name = PurePosixPath(file)
        if not name.name or name.is_absolute() or ".." in name.parts:
            raise DataError(f"{path}, line {line}: {file!r} is not a path below {IMAGES}")
        yield Row(line, f"{IMAGES}/{name}", [_LABELS.get(value, 0) for value in values])
