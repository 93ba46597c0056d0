"""Small image files, and reading them back the slow way."""

import io

import numpy as np
from PIL import Image


def pixels(seed, height=32, width=32):
    """A random but smooth picture, uint8 (height, width, 3), so that JPEG keeps it roughly."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encode(array, kind="JPEG"):
    """The bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def decode(content):
    """uint8 (3, height, width), by Pillow alone."""
    return np.array(Image.open(io.BytesIO(content)).convert("RGB")).transpose(2, 0, 1)
