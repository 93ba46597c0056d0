"""Plane shapes as signed distances: negative inside, positive outside, in units of the face.

A shape is a function of the coordinates ``x`` and ``y`` of all pixels, tensors that broadcast to
(faces, 1, height, width), and of sizes that are numbers or tensors of shape (faces, 1, 1, 1).
Union of two shapes is the minimum of their distances, intersection the maximum, and the rest of
one without the other the maximum of one and the negative of the other.
"""

import torch
from torch import Tensor

Size = Tensor | float


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
