"""CelebA: 202,599 aligned faces with 40 attributes (Liu, Luo, Wang and Tang, ICCV 2015)."""

from collections.abc import Mapping
from pathlib import Path

import torch

from pam.data.attributes import (
    PART_OPTIONS,
    AttributeTable,
    Framing,
    Part,
    Row,
    first,
    make_dataset,
    picture_size,
)
from pam.data.dataset import PARTS, MultitaskDataset, check_tasks, two_halves
from pam.data.registry import register
from pam.data.sources import Folder, Source, ZipArchive, check_md5, read_lines
from pam.errors import DataError
from pam.files import DEFAULT_ROOT
from pam.ranges import Count
from pam.torchvision_shim import torchvision

FOLDER = "celeba"
IMAGES = "img_align_celeba"
ARCHIVE = "img_align_celeba.zip"
ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"
N_ATTRIBUTES = 40
TRAINING_IMAGES = 162_770
_LABELS = {"-1": -1, "1": 1}


@register(
    "celeba",
    title="CelebA",
    paper="Liu et al., ICCV 2015",
    tasks=("A", "B"),
    train_size="train_images",
    forecast=lambda options: picture_size(options, TRAINING_IMAGES),
)
def celeba(
    root: Path | None = None,
    *,
    download: bool = False,
    size: Count = 72,
    train_images: Count | None = None,
    validation_images: Count | None = None,
    test_images: Count | None = None,
    tasks: Mapping[str, list[int]] | None = None,
) -> MultitaskDataset:
    """Return CelebA's aligned and cropped faces, 178 x 218 pixels, resized to a square.

    The parts are CelebA's own: 162,770, 19,867 and 19,962 images, no person in two of them.

    Args:
        root: folder that has (or gets) ``celeba/list_attr_celeba.txt``,
            ``celeba/list_eval_partition.txt`` and either the folder ``celeba/img_align_celeba`` or
            ``celeba/img_align_celeba.zip``; by default the folder ``data`` of the working folder.
        download: fetch what is missing, through torchvision and its helper gdown.
        size: height and width of an image, in pixels; the paper's is 72.
        train_images: number of images, the first ones, of the training part; all by default.
        validation_images: likewise of the validation part.
        test_images: likewise of the test part.
        tasks: task name -> attribute columns; by default ``A`` has 0-19 and ``B`` 20-39, as in
            the paper.

    Raises:
        ConfigError: if an option is outside its range.
        DataError: if a file is missing or damaged, or the download fails.
    """
    counts = dict(zip(PART_OPTIONS, (train_images, validation_images, test_images), strict=True))
    chosen = check_tasks(two_halves(N_ATTRIBUTES) if tasks is None else tasks, N_ATTRIBUTES)
    folder = (DEFAULT_ROOT if root is None else root) / FOLDER
    source = _open_images(folder, download)
    table = read_attributes(folder / ATTRIBUTES)
    partition = read_partition(folder / PARTITION, table)
    parts = {}
    for number, part in enumerate(PARTS):
        rows = torch.nonzero(partition == number).flatten()
        parts[part] = Part(source, table, first(rows, counts[f"{part}_images"], part))
    return make_dataset("celeba", parts, Framing(size), chosen, {"size": size, **counts})


def read_attributes(path: Path) -> AttributeTable:
    """Return the table of ``list_attr_celeba.txt``.

    Its first line is the number of images, the second the attribute names, every other one an
    image and its values -1 or 1; spaces separate.

    Raises:
        DataError: if the file is missing or has another format.
    """
    lines = ((line, text.split()) for line, text in read_lines(path))
    count, names = (next(lines, (0, []))[1] for _ in range(2))
    if len(names) != N_ATTRIBUTES:
        raise DataError(f"{path}, line 2: {len(names)} attribute names, not {N_ATTRIBUTES}")
    table = AttributeTable.of_rows(str(path), names, (_row(path, *line) for line in lines))
    if count != [str(len(table.files))]:
        raise DataError(f"{path} announces {' '.join(count)} images but has {len(table.files)}")
    return table


def read_partition(path: Path, table: AttributeTable) -> torch.Tensor:
    """Return the part of every row of the table, int64: 0 train, 1 validation, 2 test.

    Every line of ``list_eval_partition.txt`` is an image and one of these numbers.

    Raises:
        DataError: if the file is missing or is not like that, or an image has no part.
    """
    part_of: dict[str, int] = {}
    lines: dict[str, int] = {}
    for line, text in read_lines(path):
        words = text.split()
        if len(words) != 2 or words[1] not in ("0", "1", "2"):
            raise DataError(f"{path}, line {line}: not an image and its part 0, 1 or 2")
        if words[0] in lines:
            raise DataError(f"{path}, line {line}: {words[0]} is already in line {lines[words[0]]}")
        lines[words[0]], part_of[words[0]] = line, int(words[1])
    for file, line in zip(table.files, table.lines, strict=True):
        if file not in part_of:
            raise DataError(f"{path} does not name {file} ({table.path}, line {line})")
    return torch.tensor([part_of[file] for file in table.files])


def _open_images(folder: Path, download: bool) -> Source:
    """Return the images after fetching what is missing and checking the files' checksums."""
    utils = torchvision().datasets.utils
    published = torchvision().datasets.CelebA.file_list
    entries = {name: (file_id, md5) for file_id, md5, name in published}
    unpacked = (folder / IMAGES).is_dir()
    for name in (ATTRIBUTES, PARTITION) if unpacked else (ATTRIBUTES, PARTITION, ARCHIVE):
        file_id, md5 = entries[name]
        by_hand = (
            f"fetch {name} in a browser from mmlab.ie.cuhk.edu.hk/projects/CelebA.html "
            f"and put it into {folder}"
        )
        if download:
            try:
                utils.download_file_from_google_drive(file_id, str(folder), name, md5)
            except Exception as error:  # gdown, which torchvision calls, has its own exceptions.
                raise DataError(
                    f"{name} cannot be downloaded to {folder}: {' '.join(str(error).split())}; "
                    f"Google Drive often refuses programs: {by_hand}"
                ) from error
        elif not (folder / name).is_file():
            raise DataError(f"{folder / name} does not exist; pass download: true, or {by_hand}")
        check_md5(folder / name, md5, f"delete it, then {by_hand}")
    return Folder(folder / IMAGES) if unpacked else ZipArchive(folder / ARCHIVE, IMAGES)


def _row(path: Path, line: int, words: list[str]) -> Row:
    try:
        return Row(line, words[0], [_LABELS[word] for word in words[1:]])
    except KeyError as error:
        raise DataError(f"{path}, line {line}: the value {error} is neither -1 nor 1") from error
