"""What varies from cartoon face to cartoon face and is no attribute: pose, light, colours."""

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

_SKINS = ((0.98, 0.84, 0.72), (0.94, 0.76, 0.60), (0.86, 0.66, 0.48), (0.76, 0.55, 0.38))
_DARK_HAIRS = ((0.08, 0.07, 0.09), (0.20, 0.11, 0.07), (0.14, 0.10, 0.16))
_LIGHT_HAIRS = ((0.97, 0.80, 0.28), (0.90, 0.48, 0.16), (0.97, 0.97, 0.98))
_CLOTHES = (
    *((0.80, 0.16, 0.18), (0.16, 0.36, 0.78), (0.13, 0.55, 0.30), (0.48, 0.20, 0.62)),
    *((0.95, 0.60, 0.10), (0.10, 0.60, 0.66), (0.88, 0.35, 0.58), (0.30, 0.32, 0.38)),
)
_GROUNDS = (
    *((0.62, 0.78, 0.92), (0.72, 0.88, 0.70), (0.93, 0.88, 0.70), (0.86, 0.76, 0.90)),
    *((0.50, 0.60, 0.68), (0.66, 0.56, 0.50), (0.70, 0.68, 0.76), (0.44, 0.56, 0.48)),
)


@dataclass(frozen=True)
class Look:
    """All that varies from face to face and is no attribute.

    Attributes:
        angle: rotation in radians; scale, right, down: size and position in half images.
        brightness: factor of all colours.
        jaw, gap, lift: small changes of the face's width, the eyes' distance, the mouth's height.
        skin, dark, light, hat, scarf, shirt, ground: colours.

    Numbers are float32 (faces, 1, 1, 1), colours float32 (faces, 3, 1, 1).
    """

    angle: Tensor
    scale: Tensor
    right: Tensor
    down: Tensor
    brightness: Tensor
    jaw: Tensor
    gap: Tensor
    lift: Tensor
    skin: Tensor
    dark: Tensor
    light: Tensor
    hat: Tensor
    scarf: Tensor
    shirt: Tensor
    ground: Tensor


_RANGES = {
    "angle": (-pi / 12, pi / 12),
    "scale": (0.78, 1.0),
    "right": (-0.16, 0.16),
    "down": (-0.08, 0.10),
    "brightness": (0.7, 1.0),
    "jaw": (-0.05, 0.05),
    "gap": (-0.02, 0.02),
    "lift": (-0.02, 0.02),
}
_PALETTES = {
    "skin": _SKINS,
    "dark": _DARK_HAIRS,
    "light": _LIGHT_HAIRS,
    "hat": _CLOTHES,
    "scarf": _CLOTHES,
    "shirt": _CLOTHES,
    "ground": _GROUNDS,
}
_TINT = 0.05


def draw_looks(faces: int, generator: torch.Generator) -> Look:
    """Return random looks of so many faces."""

    def number(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(faces, 1, 1, 1, generator=generator)

    def colour(palette: tuple[tuple[float, float, float], ...]) -> Tensor:
        choice = torch.randint(len(palette), (faces,), generator=generator)
        tint = _TINT * (2 * torch.rand(faces, 3, generator=generator) - 1)
        return (torch.tensor(palette)[choice] + tint).clamp_(0, 1).view(faces, 3, 1, 1)

    numbers = {name: number(*limits) for name, limits in _RANGES.items()}
    return Look(**numbers, **{name: colour(palette) for name, palette in _PALETTES.items()})
