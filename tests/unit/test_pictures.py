"""A picture is decoded right or refused, whatever its file says beside the pixels."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from pam.errors import DataError
from pam.pictures import decode_image
from tests.picture_files import encode, pixels, png, several, tags, tiff

RIGHT = {
    "PNG of 4 bits": (png(4, 0), [[0, 0, 0, 17]]),
    "PNG of grey and transparent": (png(8, 4), [[0, 2, 4, 6]]),
    "TIFF of 8 bits": (tiff([8]), [[1, 2], [3, 4]]),
    "TIFF of 4 bits": (tiff([4]), [[0, 17], [0, 34]]),
    "PPM of 0 to 100": (b"P5 3 1 100\n" + bytes([100, 50, 0]), [[255, 128, 0]]),
    "PGM with a remark": (b"P5 # 65535\n2 1 255\n" + bytes([7, 9]), [[7, 9]]),
    "PBM": (b"P4 8 1\n\x0f", [[255] * 4 + [0] * 4]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_picture_of_few_bits_is_read(name):
    content, expected = RIGHT[name]
    grey = np.asarray(decode_image(content, "L", "x"))
    assert grey[: len(expected)].tolist() == expected


SIGNED, FRACTIONS = (339, 3, [2]), (339, 3, [3])
REFUSED = {
    **{f"PNG {colour}": (png(16, colour), "has 16 bits per channel") for colour in (0, 2, 4, 6)},
    **{f"TIFF {n}": (tiff([16] * n), "has 16 bits per channel") for n in (1, 3, 4)},
    "TIFF of 12 bits": (tiff([12]), "has 12 bits per channel"),
    "TIFF of signed numbers": (tiff([8], SIGNED), "numbers with a sign or a fraction"),
    "TIFF of fractions": (tiff([32], FRACTIONS), "numbers with a sign or a fraction"),
    **{
        f"{kind} of several": (several(kind), "holds 2 pictures")
        for kind in ("GIF", "PNG", "TIFF", "WEBP")
    },
    "PGM of 16 bits": (b"P5 1 1 65535\n" + bytes(2), "has 16 bits per channel"),
    "PPM of 10 bits": (b"P6 1 1 1023\n" + bytes(6), "has 10 bits per channel"),
    "PPM of 10 bits, in words": (b"P3 1 1 1023\n1023 1 1\n", "has 10 bits per channel"),
    "PFM": (b"Pf 1 1 -1.0\n" + bytes(4), "bits per channel; convert it"),
    "PostScript": (encode(pixels(0), "EPS"), "it is no BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP of"),
    "text": (b"text", "convert it to PNG or JPEG"),
    "cut": (encode(pixels(0))[:300], "cannot be decoded as an image"),
    "large": (png(1, 0, 10_000, 10_000), "has more than 89 million pixels; make it smaller"),
    "giant": (png(1, 0, 20_000, 20_000), "has more than 89 million pixels; make it smaller"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shown_in_8_bits_is_refused(name):
    content, says = REFUSED[name]
    with warnings.catch_warnings(), pytest.raises(DataError) as caught:
        warnings.simplefilter("error")
        decode_image(content, "RGB", "here.png")
    assert str(caught.value).startswith("here.png ") and says in str(caught.value)


ORIENTATION, COPYRIGHT = 0x0112, (0x8298, 5, [(1, 2)])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(10))
def test_a_photograph_is_turned_as_pillow_turns_it(kind, orientation):
    noted, file = Image.Exif(), io.BytesIO()
    noted[ORIENTATION] = orientation
    Image.fromarray(pixels(1, 8, 12)).save(file, kind, exif=noted)
    with Image.open(file) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    assert np.array_equal(decode_image(file.getvalue(), "RGB", "x"), expected)


ODD = {
    "a copyright in numbers": [COPYRIGHT],
    "notes that lie nowhere": [(34665, 4, [999_999])],
    "notes that are text": [(34665, 2, [65, 66, 0])],
    "notes that are themselves": [(34853, 4, [8])],
}


@pytest.mark.parametrize("odd", ODD)
def test_other_notes_of_a_photograph_never_matter(odd):
    noted = [(ORIENTATION, 3, [3]), *ODD[odd]]
    assert np.asarray(decode_image(tiff([8], *noted), "L", "x")).tolist() == [[4, 3], [2, 1]]
    for kind in ("JPEG", "PNG"):
        file = io.BytesIO()
        Image.fromarray(pixels(1)).save(file, kind, exif=b"Exif\0\0" + tags(*noted))
        with Image.open(file) as image:
            expected = np.asarray(image)[::-1, ::-1]
        assert np.array_equal(decode_image(file.getvalue(), "RGB", "x"), expected)


def test_notes_that_nobody_can_read_turn_nothing():
    file = io.BytesIO()
    Image.fromarray(pixels(1)).save(file, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(decode_image(file.getvalue(), "RGB", "x"), pixels(1))
