"""Drawing strips of items, a bounded number at a time."""

import torch
from torch import Tensor
from torch.nn import functional

WHITE = 255
# Strips in memory as float32 at a time: 64 MB at the paper's size.
_CHUNK = 256


def render_strips(images: Tensor, strips: Tensor, tile: int) -> Tensor:
    """Draw strips: items inverted, resized (bilinear) and set side by side, left to right.

    Works through the strips in chunks, so that memory beyond the result stays bounded.

    Args:
        images: uint8 (items, height, width), ink on black ground.
        strips: int64 (strips, items_per_strip), item indices.
        tile: height and width of an item in the strip.

    Returns:
        uint8 (strips, 1, tile, items_per_strip * tile), ink on white ground.
    """
    n_strips, per_strip = strips.shape
    result = torch.empty((n_strips, 1, tile, per_strip * tile), dtype=torch.uint8)
    for start in range(0, n_strips, _CHUNK):
        chunk = strips[start : start + _CHUNK]
        tiles = _resize(WHITE - images[chunk.flatten()], tile)
        tiles = tiles.view(len(chunk), per_strip, tile, tile).transpose(1, 2)
        result[start : start + _CHUNK, 0] = tiles.reshape(len(chunk), tile, per_strip * tile)
    return result


def mean_intensity(images: Tensor) -> float:
    """Return the mean of uint8 images (samples, 1, height, width) divided by 255.

    Summed as integers, so the result does not depend on the order of summation.
    """
    total = sum(int(chunk.sum(dtype=torch.int64)) for chunk in images.split(_CHUNK))
    return total / (255 * images.numel())


def _resize(images: Tensor, tile: int) -> Tensor:
    """Return uint8 (n, height, width) images as uint8 (n, tile, tile)."""
    if images.shape[1:] == (tile, tile):
        return images
    # Antialiasing changes nothing when enlarging; it keeps strokes when tiles are smaller.
    resized = functional.interpolate(
        images.unsqueeze(1).float(), size=(tile, tile), mode="bilinear", antialias=True
    )
    return resized.squeeze(1).round_().clamp_(0, 255).to(torch.uint8)
