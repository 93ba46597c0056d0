"""Small colour faces, drawn many at a time from shapes with smooth edges.

Coordinates of a face: the image spans -1..1 in both directions before the face is turned, scaled
and moved; x points right and y points down. Nothing that belongs to one attribute covers what
shows another: a hat leaves hair below it, ears lie in front of long hair, a beard leaves the mouth
free.
"""

from math import pi

import torch
from torch import Tensor

ATTRIBUTES = (
    *("hat", "glasses", "smiling"),
    *("dark hair", "beard", "open mouth"),
    *("long hair", "moustache", "rosy cheeks"),
    *("scarf", "thick eyebrows", "big nose"),
    *("round face", "closed eyes", "earrings"),
)

Has = dict[str, Tensor]
"""Attribute -> 1 where a face has it, else 0; float32 (faces, 1, 1, 1)."""

Look = dict[str, Tensor]
"""What varies from face to face and is no attribute: numbers of :data:`RANGES`, float32
(faces, 1, 1, 1), and colours of :data:`PALETTES`, float32 (faces, 3, 1, 1)."""

Size = Tensor | float

RANGES = {
    # Rotation in radians.
    "angle": (-pi / 12, pi / 12),
    # Size and position in half images.
    "scale": (0.78, 1.0),
    "right": (-0.16, 0.16),
    "down": (-0.08, 0.10),
    # Factor of all colours.
    "brightness": (0.7, 1.0),
    # Changes of the face's width, the eyes' distance and the mouth's height.
    "jaw": (-0.05, 0.05),
    "gap": (-0.02, 0.02),
    "lift": (-0.02, 0.02),
}
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
PALETTES = {
    "skin": _SKINS,
    "dark": _DARK_HAIRS,
    "light": _LIGHT_HAIRS,
    "hat": _CLOTHES,
    "scarf": _CLOTHES,
    "shirt": _CLOTHES,
    "ground": _GROUNDS,
}
_TINT = 0.05


def _colour(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue]).view(3, 1, 1)


_INK = _colour(0.10, 0.08, 0.10)
_WHITE = _colour(1.0, 1.0, 1.0)
_GOLD = _colour(1.0, 0.82, 0.10)
_LIPS = _colour(0.66, 0.18, 0.20)
_THROAT = _colour(0.36, 0.05, 0.09)
_BLUSH = _colour(0.95, 0.30, 0.35)
# Hair on the face, and skin on the nose and in the shade, are these shares of hair and skin.
_BEARD, _BROW, _SHADE = 0.7, 0.6, 0.85
_NOSE = _colour(0.84, 0.62, 0.58)


def draw_looks(faces: int, generator: torch.Generator) -> Look:
    """Return random looks of so many faces."""

    def number(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(faces, 1, 1, 1, generator=generator)

    def colour(palette: tuple[tuple[float, float, float], ...]) -> Tensor:
        choice = torch.randint(len(palette), (faces,), generator=generator)
        tint = _TINT * (2 * torch.rand(faces, 3, generator=generator) - 1)
        return (torch.tensor(palette)[choice] + tint).clamp_(0, 1).view(faces, 3, 1, 1)

    numbers = {name: number(*limits) for name, limits in RANGES.items()}
    return numbers | {name: colour(palette) for name, palette in PALETTES.items()}


# Shapes are signed distances, negative inside, in units of the face: functions of the coordinates
# x and y of all pixels, which broadcast to (faces, 1, height, width), and of sizes of shape
# (faces, 1, 1, 1). The union of two shapes is the minimum of their distances, the intersection the
# maximum, and one without the other the maximum of one and the negative of the other.


def ellipse(x: Tensor, y: Tensor, radius_x: Size, radius_y: Size) -> Tensor:
    """Return the distance to an ellipse around the origin, exact to first order at its edge."""
    u, v = x / radius_x, y / radius_y
    # f = u² + v² - 1 is zero on the edge, so f / |grad f| is the distance there.
    slope = torch.hypot(u / radius_x, v / radius_y)
    return (u * u + v * v - 1) / (2 * slope + 1e-6)


def box(x: Tensor, y: Tensor, half_width: Size, half_height: Size, corner: Size) -> Tensor:
    """Return the distance to a box around the origin with corners rounded by radius ``corner``."""
    u = x.abs() - half_width + corner
    v = y.abs() - half_height + corner
    return torch.hypot(u.clamp_min(0), v.clamp_min(0)) + torch.maximum(u, v).clamp_max(0) - corner


def bow(x: Tensor, y: Tensor, half_width: Size, bend: Size, half_thickness: Size) -> Tensor:
    """Return the distance to a stroke through the origin bent like a parabola.

    The stroke reaches ``half_width`` to either side, and its ends are ``bend`` further down (up,
    if negative) than its middle.
    """
    u = x / half_width
    slope = 2 * bend / half_width * u
    across = (y - bend * u * u).abs() / torch.sqrt(1 + slope * slope)
    return torch.maximum(across - half_thickness, x.abs() - half_width)


class _Canvas:
    """Images being painted, and the face coordinates of their pixels."""

    def __init__(self, look: Look, size: int) -> None:
        ticks = (torch.arange(size, dtype=torch.float32) * 2 + 1) / size - 1
        across = ticks.view(1, 1, 1, size) - look["right"]
        down = ticks.view(1, 1, size, 1) - look["down"]
        cos, sin = (turn(look["angle"]) / look["scale"] for turn in (torch.cos, torch.sin))
        self.x = cos * across + sin * down
        self.y = cos * down - sin * across
        # Left and right halves of a face are the same, so its pairs are drawn with the distance
        # from the middle.
        self.side = self.x.abs()
        self.pixel = 2 / (size * look["scale"])
        self.images = look["ground"].expand(-1, -1, size, size).clone()

    def paint(self, distance: Tensor, colour: Tensor, opacity: Size = 1.0) -> None:
        """Paint what is inside a shape; pixels on the edge are covered in part."""
        cover = (0.5 - distance / self.pixel).clamp_(0, 1) * opacity
        self.images.lerp_(colour, cover)


def draw_faces(labels: Tensor, look: Look, size: int) -> Tensor:
    """Draw faces.

    Args:
        labels: bool (faces, 15), which of ``ATTRIBUTES`` a face has.
        look: everything else about the faces.
        size: height and width of an image in pixels.

    Returns:
        float32 (faces, 3, size, size), red, green and blue from 0 to 1.
    """
    columns = labels.to(torch.float32).view(*labels.shape, 1, 1, 1).unbind(1)
    has = dict(zip(ATTRIBUTES, columns, strict=True))
    canvas = _Canvas(look, size)
    width = 0.44 + 0.14 * has["round face"] + look["jaw"]
    hair = look["light"] + has["dark hair"] * (look["dark"] - look["light"])
    _draw_back(canvas, look, has, width, hair)
    _draw_head(canvas, look, has, width, hair)
    _draw_mouth(canvas, look, has, hair)
    _draw_eyes(canvas, look, has, width, hair)
    _draw_hat(canvas, look, has, width)
    return (canvas.images * look["brightness"]).clamp_(0, 1)


def _draw_back(canvas: _Canvas, look: Look, has: Has, width: Tensor, hair: Tensor) -> None:
    """Hair behind the head, neck, shirt and scarf."""
    x, y = canvas.x, canvas.y
    short = ellipse(x, y + 0.13, width + 0.10, 0.56)
    long = box(x, y - 0.10, width + 0.17, 0.68, 0.35)
    canvas.paint(short, hair)
    canvas.paint(long, hair, has["long hair"])
    canvas.paint(box(x, y - 0.70, 0.17, 0.25, 0.02), look["skin"] * _SHADE)
    canvas.paint(ellipse(x, y - 1.15, 0.80, 0.36), look["shirt"])
    scarf = torch.minimum(
        box(x, y - 0.80, 0.42, 0.10, 0.08), box(x - 0.24, y - 0.98, 0.10, 0.24, 0.04)
    )
    canvas.paint(scarf, look["scarf"], has["scarf"])
    stripe = box(x, y - 0.80, 0.40, 0.03, 0.0)
    canvas.paint(stripe, _WHITE, has["scarf"])


def _draw_head(canvas: _Canvas, look: Look, has: Has, width: Tensor, hair: Tensor) -> None:
    """Ears, face, beard, hair above the forehead, cheeks, and the nose."""
    x, y, side = canvas.x, canvas.y, canvas.side
    ear = ellipse(side - width - 0.02, y - 0.06, 0.09, 0.13)
    face = ellipse(x, y - 0.08, width, 0.58)
    canvas.paint(torch.minimum(ear, face), look["skin"])
    jaw = torch.maximum(ellipse(x, y - 0.10, width + 0.02, 0.63), 0.22 - y)
    beard = torch.maximum(jaw, -ellipse(x, y - 0.20, width - 0.10, 0.34))
    canvas.paint(beard, hair * _BEARD, has["beard"])
    forehead = torch.maximum(face - 0.02, y + 0.27 - 0.3 * x * x)
    canvas.paint(forehead, hair)
    cheek = ellipse(side - 0.68 * width, y - 0.22, 0.10, 0.08)
    canvas.paint(cheek, _BLUSH, 0.75 * has["rosy cheeks"])
    nose = ellipse(x, y - 0.13, 0.04 + 0.10 * has["big nose"], 0.06 + 0.05 * has["big nose"])
    canvas.paint(nose, look["skin"] * _NOSE)
    earring = ellipse(side - width - 0.04, y - 0.25, 0.06, 0.06)
    canvas.paint(earring, _GOLD, has["earrings"])


def _draw_mouth(canvas: _Canvas, look: Look, has: Has, hair: Tensor) -> None:
    """Moustache and mouth: the corners of a smile are up, also when the mouth is open."""
    x, y = canvas.x, canvas.y - look["lift"] - 0.38
    upturn = 2 * has["smiling"] - 1
    is_open = has["open mouth"]
    canvas.paint(bow(x, y - 0.06 * upturn, 0.20, -0.12 * upturn, 0.03), _LIPS, 1 - is_open)
    # An open mouth is half an ellipse, its round side down in a smile and up otherwise.
    flat = upturn * y + 0.07
    lips = torch.maximum(ellipse(x, flat, 0.20, 0.18), -flat)
    canvas.paint(lips - 0.02, _LIPS, is_open)
    canvas.paint(torch.maximum(lips + 0.02, 0.07 - flat), _THROAT, is_open)
    canvas.paint(torch.maximum(lips + 0.02, flat - 0.07), _WHITE, is_open)
    moustache = bow(canvas.side - 0.10, y + 0.13, 0.13, 0.03, 0.055)
    canvas.paint(moustache, hair * _BEARD, has["moustache"])


def _draw_eyes(canvas: _Canvas, look: Look, has: Has, width: Tensor, hair: Tensor) -> None:
    """Eyes, eyebrows above them, and glasses around them."""
    u, v = canvas.side - 0.45 * width - look["gap"], canvas.y + 0.02
    awake = 1 - has["closed eyes"]
    canvas.paint(ellipse(u, v, 0.09, 0.085), _WHITE, awake)
    canvas.paint(ellipse(u, v, 0.05, 0.06), _INK, awake)
    canvas.paint(bow(u, v - 0.04, 0.10, -0.05, 0.022), _INK, has["closed eyes"])
    brow = bow(u, v + 0.19, 0.11, 0.04, 0.018 + 0.042 * has["thick eyebrows"])
    canvas.paint(brow, hair * _BROW)
    ring = ellipse(u, v, 0.15, 0.14).abs() - 0.022
    bridge = box(canvas.x, v, 0.45 * width - 0.13, 0.02, 0.0)
    canvas.paint(torch.minimum(ring, bridge), _INK, has["glasses"])


def _draw_hat(canvas: _Canvas, look: Look, has: Has, width: Tensor) -> None:
    x, y = canvas.x, canvas.y
    dome = torch.maximum(ellipse(x, y + 0.40, width + 0.08, 0.48), y + 0.42)
    brim = box(x, y + 0.42, width + 0.16, 0.06, 0.05)
    canvas.paint(dome, look["hat"], has["hat"])
    canvas.paint(brim, torch.lerp(look["hat"], _WHITE, 0.6), has["hat"])
