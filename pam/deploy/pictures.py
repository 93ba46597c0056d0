"""Image files as a network takes them: its channels, its size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pam.data.images import decode
from pam.errors import DataError, ShapeError

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Of the files of a folder that are taken for images."""

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
        found = sorted(one for one in path.iterdir() if _is_image(one))
        if not found:
            raise DataError(f"{path} holds no image file ({', '.join(sorted(SUFFIXES))})")
        yield from found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def mode_of(input_shape: tuple[int, int, int]) -> str:
    """Return Pillow's mode for the channels of a network's input.

    Raises:
        ShapeError: if image files have no such number of channels.
    """
    channels = input_shape[0]
    if channels not in _MODES:
        raise ShapeError(f"the network takes images of {channels} channels, files have 1 or 3")
    return _MODES[channels]


@dataclass(frozen=True)
class Picture:
    """An image file as a network takes it.

    Attributes:
        file: where it is from.
        pixels: uint8 (channels, height, width).
        resized: whether it had another size.
    """

    file: Path
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
    image = decode(content, mode_of(input_shape), str(file))
    resized = image.size != (width, height)
    if resized:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)
    return Picture(file, pixels, resized)
