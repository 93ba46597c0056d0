"""Shapes are where geometry says; every attribute shows on every face."""

from math import pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pam.data.cartoon_drawing import (
    ATTRIBUTES,
    PALETTES,
    RANGES,
    Look,
    bow,
    box,
    draw_faces,
    draw_looks,
    ellipse,
)
from tests.examples import examples

sizes = st.floats(0.2, 1.0)
points = st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))


def at(shape, point, *arguments) -> float:
    x, y = (torch.tensor(value, dtype=torch.float64) for value in point)
    return float(shape(x, y, *arguments))


@settings(deadline=None)
@given(sizes, sizes, st.floats(0, 2 * pi), st.floats(-0.01, 0.01))
def test_ellipse_measures_distance_near_its_edge(radius_x, radius_y, angle, distance):
    direction = torch.tensor(angle, dtype=torch.float64)
    edge = torch.stack([radius_x * torch.cos(direction), radius_y * torch.sin(direction)])
    normal = torch.stack([torch.cos(direction) / radius_x, torch.sin(direction) / radius_y])
    point = edge + distance * normal / normal.norm()
    assert at(ellipse, point.tolist(), radius_x, radius_y) == pytest.approx(distance, abs=2e-3)


@settings(deadline=None)
@given(points, sizes, sizes, st.floats(0, 0.2))
def test_box_is_a_smaller_box_and_everything_within_a_corner_of_it(point, width, height, corner):
    excess = [max(abs(point[0]) - width + corner, 0), max(abs(point[1]) - height + corner, 0)]
    inside = (excess[0] ** 2 + excess[1] ** 2) ** 0.5 <= corner
    distance = at(box, point, width, height, corner)
    assert (distance <= 1e-9) == inside or abs(distance) < 1e-6


@settings(deadline=None)
@given(points, sizes, st.floats(-0.5, 0.5), st.floats(0.02, 0.2))
def test_bow_is_a_band_around_a_parabola(point, half_width, bend, half_thickness):
    share = point[0] / half_width
    stretch = (1 + (2 * bend * share / half_width) ** 2) ** 0.5
    inside = abs(share) <= 1 and abs(point[1] - bend * share**2) <= half_thickness * stretch
    distance = at(bow, point, half_width, bend, half_thickness)
    assert (distance <= 0) == inside or abs(distance) < 1e-6


def random_faces(faces: int, seed: int) -> tuple[torch.Tensor, Look]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(faces, len(ATTRIBUTES), generator=generator) < 0.5
    return labels, draw_looks(faces, generator)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_no_other_attribute_and_no_look_hides_an_attribute(attribute):
    labels, look = random_faces(200, 1)
    column = ATTRIBUTES.index(attribute)
    other = labels.clone()
    other[:, column] = ~labels[:, column]
    change = (draw_faces(labels, look, 32) - draw_faces(other, look, 32)).abs().amax((1, 2, 3))
    # Standard deviation of the noise by default: 0.05.
    assert float(change.min()) > 0.06


@examples(20)
@given(st.integers(-6, 6), st.integers(-6, 6), st.integers(0, 1000))
def test_moving_a_face_moves_its_pixels(right, down, seed):
    size = 32
    labels, look = random_faces(2, seed)
    moved = look | {
        "right": look["right"] + 2 * right / size,
        "down": look["down"] + 2 * down / size,
    }
    before, after = draw_faces(labels, look, size), draw_faces(labels, moved, size)
    inner = slice(6, size - 6)
    expected = before.roll((down, right), (2, 3))[:, :, inner, inner]
    assert torch.allclose(after[:, :, inner, inner], expected, atol=1e-3)


@examples(20)
@given(st.integers(0, 1000))
def test_a_mirrored_head_is_the_head_turned_the_other_way(seed):
    labels, look = random_faces(2, seed)
    # The tail of a scarf hangs on one side.
    labels[:, ATTRIBUTES.index("scarf")] = False
    mirrored = look | {"angle": -look["angle"], "right": -look["right"]}
    left, right = draw_faces(labels, look, 24), draw_faces(labels, mirrored, 24)
    assert torch.allclose(left.flip(3), right, atol=1e-3)


def test_looks_fill_their_ranges_and_differ():
    look = draw_looks(500, torch.Generator().manual_seed(0))
    assert look.keys() == RANGES.keys() | PALETTES.keys()
    for values in look.values():
        assert values.shape in {(500, 1, 1, 1), (500, 3, 1, 1)}
        assert len(values.flatten(1).unique(dim=0)) > 400
    assert 0.78 <= float(look["scale"].min()) < 0.8 < 0.98 < float(look["scale"].max()) <= 1.0
