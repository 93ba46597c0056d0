"""Image files through an exported network, a batch at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pam.deploy.model import Model
from pam.deploy.pictures import Picture, mode_of, read_picture
from pam.errors import DataError

_BATCH = 64


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
    """Yield the prediction for every file in order, or why it could not be read.

    Raises:
        ShapeError: if the network takes images that no file holds.
    """
    mode_of(model.about.input_shape)
    for start in range(0, len(files), _BATCH):
        read = [_read(file, model) for file in files[start : start + _BATCH]]
        yield from _predict(model, read)


def _read(file: Path, model: Model) -> Picture | DataError:
    try:
        return read_picture(file, model.about.input_shape)
    except DataError as error:
        return error


def _predict(model: Model, read: Sequence[Picture | DataError]) -> Iterator[Prediction | DataError]:
    pictures = [one for one in read if isinstance(one, Picture)]
    scores = model.scores(np.stack([one.pixels for one in pictures])) if pictures else {}
    position = 0
    for one in read:
        if isinstance(one, DataError):
            yield one
            continue
        named = {
            task: dict(zip(labels, scores[task][position].tolist(), strict=True))
            for task, labels in model.about.tasks.items()
        }
        yield Prediction(one.file, named, one.resized)
        position += 1
