"""Image files, decoded right or refused: the one decoder of data sets and of ``pam predict``."""

import warnings
from io import BytesIO
from typing import TYPE_CHECKING

from pam.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".ppm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""What is read, by Pillow's names, and how such files are called. For every one of them it is known
how many bits a channel has, and none of them starts another program, as PostScript would."""

SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)

_MOST_BITS = 8
_PNG_DEPTH = 24
"""Position of the byte of a PNG file that is its number of bits per channel."""

_TIFF_BITS, _TIFF_KIND = 258, 339
_TIFF_WHOLE = {1, 4}
"""Unsigned whole numbers, and numbers of which the file says nothing."""

_ORIENTATION = 0x0112

_OF_SEVERAL = ("GIF", "PNG", "TIFF", "WEBP")
"""Formats whose files may hold several pictures of equal rank; what a JPEG holds besides is a
preview."""


def decode_image(content: bytes, mode: str, where: str) -> "Image.Image":
    """Return the picture in an image file, turned as it is meant to be seen.

    Transparency is ignored.

    Raises:
        DataError: if the bytes are no image with at most 8 bits per channel, several, or a giant.
    """
    from PIL import Image, UnidentifiedImageError

    too_large = (Image.DecompressionBombWarning, Image.DecompressionBombError)
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd notes beside the pixels, and only warns of too large pictures.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=list(FORMATS)) as image:
                if problem := _too_deep(image, content):
                    raise DataError(f"{where} has {problem}; convert it to 8 bits per channel")
                count = getattr(image, "n_frames", 1)
                if image.format in _OF_SEVERAL and count > 1:
                    raise DataError(f"{where} holds {count} pictures; keep one in a file")
                return _upright(image).convert(mode)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            f"{where} cannot be decoded as an image: it is no "
            f"{', '.join(FORMATS)} of a known kind; convert it to PNG or JPEG"
        ) from error
    except too_large as error:
        most = (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise DataError(f"{where} has more than {most} million pixels; make it smaller") from error
    except Exception as error:  # Pillow's decoders raise whatever damaged bytes lead them to.
        raise DataError(f"{where} cannot be decoded as an image: {error}") from error


def _too_deep(image: "Image.Image", content: bytes) -> str:
    """Return what a file holds instead of 8 bits per channel, empty if nothing.

    The library's mode does not tell: it cuts 16 bits of a colour to 8.
    """
    bits = _MOST_BITS
    match image.format:
        case "PNG":
            bits = content[_PNG_DEPTH]
        case "TIFF":
            tags = image.tag_v2  # type: ignore[attr-defined]
            bits = max(tags.get(_TIFF_BITS, (1,)))
            if not {*tags.get(_TIFF_KIND, (1,))} <= _TIFF_WHOLE:
                return "numbers with a sign or a fraction"
        case "PPM":
            # With the name of its mode, the decoder gets the largest value that is not 255.
            settings = image.tile[0].args  # type: ignore[attr-defined]
            bits = settings[1].bit_length() if isinstance(settings, tuple) else bits
    if bits <= _MOST_BITS and image.mode.startswith(("I", "F")):
        bits = 2 * _MOST_BITS
    return f"{bits} bits per channel" if bits > _MOST_BITS else ""


def _upright(image: "Image.Image") -> "Image.Image":
    """Return a picture turned by its orientation; all other notes of a camera are left unread."""
    from PIL.Image import Transpose

    image.load()
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # Notes that nobody can read say nothing.
        return image
    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)
