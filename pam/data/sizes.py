"""Shape and number of the training images of a data set, from its options alone.

For plans: nothing is read but, where the data set has been prepared, what its files say of it.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from pam.data.registry import DATASETS
from pam.data.store import FAILED, RECORD
from pam.errors import DataError
from pam.files import read_json

RGB = 3
# Training images of the official part; where people are split, of the expected share of them.
_CELEBA_TRAINING = 162_770
_LFW_OUTSIDE_TEST = 0.8 * 13_143


@dataclass(frozen=True)
class DataSize:
    """What training depends on.

    Attributes:
        input_shape: (channels, height, width); None if only the files can tell.
        training_images: None if only the files can tell.
    """

    input_shape: tuple[int, int, int] | None = None
    training_images: int | None = None


def expected_size(name: str, options: Mapping[str, Any]) -> DataSize:
    """Return the size of a registered data set as far as its options and defaults tell it.

    Raises:
        ConfigError: for an unknown data set.
    """
    known = _with_defaults(name, options)
    match name:
        case "fashion_mnist" | "digits":
            tile = known["tile"]
            return DataSize((1, tile, known["items_per_strip"] * tile), known["train_strips"])
        case "cartoon_faces" | "celeba" | "lfw" | "image_attributes":
            side = known["size"]
            return DataSize(
                None if side is None else (RGB, side, side),
                known["train_images"] or _whole_part(name, known),
            )
    return DataSize()


def prepared_size(folder: str | Path, name: str, options: Mapping[str, Any]) -> DataSize | None:
    """Return the size of a prepared data set; None if there is none, or one of other options.

    There is none either where preparing it failed.

    Raises:
        ConfigError: for an unknown data set.
        DataError: if its files are damaged.
    """
    folder = Path(folder)
    if not (folder / RECORD).is_file():
        return None
    record = read_json(folder / RECORD)
    if isinstance(record, dict) and FAILED in record:
        return None
    wanted = _with_defaults(name, options)
    try:
        made = record["options"]
        same = record["name"] == name and all(made[key] == wanted.get(key) for key in made)
        if not same:
            return None
        with safe_open(folder / "train.safetensors", "np") as file:
            images, *shape = file.get_slice("images").get_shape()
    except (KeyError, TypeError, OSError, SafetensorError) as error:
        raise DataError(f"the data set in {folder} is damaged: {error}; delete it") from error
    return DataSize(tuple(shape), images)


def _whole_part(name: str, known: Mapping[str, Any]) -> int | None:
    if name == "celeba":
        return _CELEBA_TRAINING
    if name == "lfw":
        return round(_LFW_OUTSIDE_TEST * (1 - known["validation_fraction"]))
    return None


def _with_defaults(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(DATASETS.get(name)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return {**defaults, **options}
