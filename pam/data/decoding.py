"""The bytes of an image file as a picture that stands upright, whoever wrote the file."""

from io import BytesIO
from typing import TYPE_CHECKING

from pam.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

# The first letters of Pillow's modes with more than eight bits per channel.
_DEEP_MODES = ("I", "F")


def decode(content: bytes, mode: str, where: str) -> "Image.Image":
    """Return the picture in an image file, turned as it is meant to be seen.

    Transparency is ignored.

    Args:
        content: the bytes of the file.
        mode: Pillow's mode to convert to: ``"RGB"``, or ``"L"`` for grey.
        where: where the file is, for errors.

    Raises:
        DataError: if the bytes are no image with 8 bits per channel.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(BytesIO(content)) as image:
            if image.mode.startswith(_DEEP_MODES):
                raise DataError(f"{where} has more than 8 bits per channel; convert it to 8 bits")
            # Cameras store a turned image as it fell on the sensor, with a note to turn it.
            return ImageOps.exif_transpose(image).convert(mode)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{where} cannot be decoded as an image: no known format") from error
    except Exception as error:  # Pillow's decoders raise whatever damaged bytes lead them to.
        raise DataError(f"{where} cannot be decoded as an image: {error}") from error
