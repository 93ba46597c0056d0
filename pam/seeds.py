"""Seeds derived from the axes that should vary, so that what should be equal stays equal."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive_seed(*axes: str | int) -> int:
    """Return a 63-bit seed for a tuple of axes, e.g. ``derive_seed("train", "A", 3)``.

    The sha256 of the axes' text makes seeds of different axes independent, and all users of the
    same axes (all mergers of one seed, say) start from the same numbers.
    """
    text = "\x1f".join(f"{type(axis).__name__}:{axis}" for axis in axes)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seeded_generator(*axes: str | int) -> "torch.Generator":
    """Return a generator of random numbers on the CPU, seeded by :func:`derive_seed`."""
    import torch

    return torch.Generator().manual_seed(derive_seed(*axes))
