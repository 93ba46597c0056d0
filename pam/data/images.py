"""Image files into one uint8 tensor: decoded one at a time, cropped, resized."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pam.data.sources import Source
from pam.errors import DataError
from pam.files import decode_image

if TYPE_CHECKING:
    from PIL import Image


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

    Args:
        source: where the files are.
        names: different names, all of them in the source.
        framing: how to crop and resize.
        description: what is read, for the progress bar that a terminal shows.

    Raises:
        DataError: if a file cannot be read or decoded, or images differ in size; names the file.
    """
    from tqdm import tqdm

    images: np.ndarray | None = None
    files = source.read(names)
    silent = not sys.stderr.isatty()
    for position, content in tqdm(files, description, len(names), unit="image", disable=silent):
        where = source.locate(names[position])
        pixels = _decode(content, framing, where)
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


def _decode(content: bytes, framing: Framing, where: str) -> np.ndarray:
    """Return the pixels of an image file, uint8 (3, height, width)."""
    picture = decode_image(content, "RGB", where)
    try:
        return np.asarray(framing.apply(picture)).transpose(2, 0, 1)
    except DataError as error:
        raise DataError(f"{where} {error}") from error
