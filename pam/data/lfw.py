"""Labeled Faces in the Wild with 73 attributes per image.

Images: the deep-funneled ones (Huang, Mattar, Lee and Learned-Miller, NIPS 2012). Attributes: the
scores of Kumar, Berg, Belhumeur and Nayar, "Attribute and Simile Classifiers for Face
Verification", ICCV 2009.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

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
from pam.data.dataset import MultitaskDataset, check_tasks, consecutive_tasks, random_split
from pam.data.registry import register
from pam.data.sources import Folder, Source, TarArchive, check_md5, read_lines
from pam.errors import DataError
from pam.files import DEFAULT_ROOT
from pam.ranges import Count, Fraction, Whole
from pam.seeds import seeded_generator
from pam.torchvision_shim import torchvision

FOLDER = "lfw-py"
ATTRIBUTES = "lfw_attributes.txt"
N_ATTRIBUTES = 73
DEFAULT_TASKS = consecutive_tasks(15, 15, 15, 15, 13)
_KEYS = ["person", "imagenum"]
_TEST_FRACTION = 0.2
OUTSIDE_TEST = (1 - _TEST_FRACTION) * 13_143
"""Images outside the test part that are to be expected: people are split, not images."""


@register(
    "lfw",
    title="LFW",
    paper="Huang et al., 2007; Kumar et al., ICCV 2009",
    tasks=("A", "B", "C", "D", "E"),
    train_size="train_images",
    forecast=lambda options: picture_size(
        options, round(OUTSIDE_TEST * (1 - options["validation_fraction"]))
    ),
)
def lfw(
    root: Path | None = None,
    *,
    crop: Count = 150,
    size: Count = 72,
    train_images: Count | None = None,
    validation_images: Count | None = None,
    test_images: Count | None = None,
    validation_fraction: Fraction = 0.2,
    seed: Whole = 0,
    tasks: Mapping[str, list[int]] | None = None,
) -> MultitaskDataset:
    """Return the faces that have attributes (13,143 of 13,233); a score above 0 is the label +1.

    No person is in two parts. A fifth of the people, the same for every seed, is kept for the
    test part.

    Args:
        root: folder that has ``lfw-py/lfw_attributes.txt`` and either the folder
            ``lfw-py/lfw-deepfunneled`` or ``lfw-py/lfw-deepfunneled.tgz``; by default the folder
            ``data`` of the working folder.
        crop: side of the centre square that is kept, in pixels. LFW's images, 250 x 250, show the
            detected face enlarged 2.2 times; 150 is 1.3 times the face: hair, ears, chin and
            collar are in, most of the background is out.
        size: height and width of an image after cropping, in pixels; the paper's is 72.
        train_images: number of images of the training part, drawn at random; all by default.
        validation_images: likewise of the validation part.
        test_images: likewise of the test part.
        validation_fraction: share of the people outside the test part that are for validation.
        seed: decides the people for validation and the images that are drawn.
        tasks: task name -> attribute columns; by default five tasks of 15, 15, 15, 15 and 13
            attributes in the order of the file, as in the paper.

    Raises:
        ConfigError: if an option is outside its range.
        DataError: if a file is missing or damaged.
    """
    counts = dict(zip(PART_OPTIONS, (train_images, validation_images, test_images), strict=True))
    chosen = check_tasks(DEFAULT_TASKS if tasks is None else tasks, N_ATTRIBUTES)
    folder = (DEFAULT_ROOT if root is None else root) / FOLDER
    table = read_attributes(folder / ATTRIBUTES)
    source = _open_images(folder)
    people = [file.partition("/")[0] for file in table.files]
    parts = {}
    for part, rows in split_people(people, validation_fraction, seed).items():
        generator = seeded_generator("lfw", part, seed)
        parts[part] = Part(source, table, draw(rows, counts[f"{part}_images"], part, generator))
    split = {"validation_fraction": validation_fraction, "seed": seed}
    options = {"crop": crop, "size": size} | counts | split
    return make_dataset("lfw", parts, Framing(size, crop), chosen, options)


def read_attributes(path: Path) -> AttributeTable:
    """Return the table of ``lfw_attributes.txt``, its files named as the images are.

    Tabs separate. The line of names starts with ``person`` and ``imagenum``, commented out by a
    ``#`` or not; every line after it is a person, the number of the image, and the scores.

    Raises:
        DataError: if the file is missing or has another format.
    """
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; get the file {ATTRIBUTES} of Kumar et al., 'Attribute and "
            f"Simile Classifiers for Face Verification' (ICCV 2009), and put it there"
        )
    lines = (
        (line, text.lstrip("#").strip().split("\t"))
        for line, text in read_lines(path)
        if text.strip("#")
    )
    names = next((words[2:] for _, words in lines if words[:2] == _KEYS), None)
    if names is None:
        raise DataError(f"{path} has no line of names that starts with 'person' and 'imagenum'")
    if len(names) != N_ATTRIBUTES:
        raise DataError(f"{path} names {len(names)} attributes, not {N_ATTRIBUTES}")
    return AttributeTable.of_rows(str(path), names, (_row(path, *line) for line in lines))


def split_people(people: Sequence[str], validation_fraction: float, seed: int) -> dict[str, Tensor]:
    """Split images so that no person is in two parts.

    Args:
        people: the person of every image.
        validation_fraction: share of the people outside the test part, rounded.
        seed: decides who is for validation; who is for the test never changes.

    Returns:
        ``train``, ``validation`` and ``test``: int64 image indices, sorted.
    """
    everyone = sorted(set(people))
    others, test = random_split(
        torch.arange(len(everyone)), _TEST_FRACTION, seeded_generator("lfw", "test people")
    )
    train, validation = random_split(
        others, validation_fraction, seeded_generator("lfw", "validation people", seed)
    )
    number = {person: i for i, person in enumerate(everyone)}
    numbers = torch.tensor([number[person] for person in people])
    return {
        part: torch.isin(numbers, members).nonzero().flatten()
        for part, members in (("train", train), ("validation", validation), ("test", test))
    }


def _open_images(folder: Path) -> Source:
    images, archive, md5 = torchvision().datasets.LFWPeople.file_dict["deepfunneled"]
    if (folder / images).is_dir():
        return Folder(folder / images)
    by_hand = (
        f"fetch {archive} (Labeled Faces in the Wild, aligned by deep funneling) by hand, because "
        f"it can no longer be downloaded by a program, and put it, unpacked or not, into {folder}"
    )
    if not (folder / archive).is_file():
        raise DataError(f"{folder} has neither {images} nor {archive}; {by_hand}")
    check_md5(folder / archive, md5, by_hand)
    return TarArchive(folder / archive, images)


def _row(path: Path, line: int, words: list[str]) -> Row:
    """Return a line of scores; "Aaron Eckhart", "1" is Aaron_Eckhart/Aaron_Eckhart_0001.jpg."""
    try:
        person, number = words[0].replace(" ", "_"), int(words[1])
        scores = [float(word) for word in words[2:]]
    except (ValueError, IndexError) as error:
        raise DataError(
            f"{path}, line {line}: not a person, the number of an image and scores ({error})"
        ) from error
    if not all(math.isfinite(score) for score in scores):
        raise DataError(f"{path}, line {line}: a score is not finite")
    file = f"{person}/{person}_{number:04d}.jpg"
    return Row(line, file, [1 if score > 0 else -1 for score in scores])
