"""Image files through an exported network, a batch at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pam.deploy.exported import Model
from pam.errors import DataError, ShapeError
from pam.pictures import SUFFIXES, decode_image

_BATCH = 64
_MODES = {1: "L", 3: "RGB"}


def image_files(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Yield files as they are named, and in place of a folder its image files, sorted by name.

    Raises:
        DataError: if a path does not exist, or a folder holds no image file.
    """
    for path in map(Path, paths):
        if not path.exists():
            raise DataError(f"{path} does not exist")
        if not path.is_dir():
            yield path
            continue
        seen = (one for one in path.iterdir() if one.suffix.lower() in SUFFIXES)
        found = sorted(one for one in seen if not one.name.startswith(".") and one.is_file())
        if not found:
            raise DataError(f"{path} holds no image file ({', '.join(sorted(SUFFIXES))})")
        yield from found


def mode_of(input_shape: tuple[int, int, int]) -> str:
    """Return Pillow's mode for the channels of a network's input.

    Raises:
        ShapeError: if image files have no such number of channels.
    """
    channels = input_shape[0]
    if channels not in _MODES:
        raise ShapeError(f"the network takes images of {channels} channels, files have 1 or 3")
    return _MODES[channels]


class Picture(NamedTuple):
    """An image as a network takes it, uint8 (channels, height, width); did it have another size?"""

    pixels: np.ndarray
    resized: bool


def read_picture(file: Path, input_shape: tuple[int, int, int]) -> Picture:
    """Return an image file in the channels and the size of a network's input.

    Resized as data sets are: antialiased, bilinear, whatever the proportions.

    Raises:
        DataError: if the file cannot be read or decoded.
        ShapeError: if image files have no such number of channels.
    """
    from PIL import Image

    channels, height, width = input_shape
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from error
    image = decode_image(content, mode_of(input_shape), str(file))
    resized = image.size != (width, height)
    if resized:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)
    return Picture(pixels, resized)


@dataclass(frozen=True)
class Prediction:
    """What a network says of one image.

    Attributes:
        file: the image.
        scores: task -> label -> score in (-1, 1).
        resized: whether the image had another size than the network takes.
    """

    file: Path
    scores: dict[str, dict[str, float]]
    resized: bool

    def found(self, task: str, threshold: float) -> list[str]:
        """Return the labels of a task whose score is above the threshold."""
        return [label for label, score in self.scores[task].items() if score > threshold]


def predict(model: Model, files: Sequence[Path]) -> Iterator[Prediction | DataError]:
    """Yield the prediction for every file in order, or why there is none.

    Raises:
        ShapeError: if the network takes images that no file holds.
    """
    mode_of(model.about.input_shape)
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        read = [_read(file, model) for file in batch]
        pixels = [one.pixels for one in read if isinstance(one, Picture)]
        scores = model.scores(np.stack(pixels)) if pixels else {}
        positions = count()
        for file, one in zip(batch, read, strict=True):
            if isinstance(one, DataError):
                yield one
                continue
            position = next(positions)
            odd = [task for task, rows in scores.items() if not np.isfinite(rows[position]).all()]
            if odd:
                yield DataError(f"{file}: a score of task '{odd[0]}' is no finite number")
                continue
            named = {
                task: dict(zip(labels, scores[task][position].tolist(), strict=True))
                for task, labels in model.about.tasks.items()
            }
            yield Prediction(file, named, one.resized)


def _read(file: Path, model: Model) -> Picture | DataError:
    try:
        return read_picture(file, model.about.input_shape)
    except DataError as error:
        return error
