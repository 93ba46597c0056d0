"""Labels of cartoon faces have exactly the stated frequencies and correlations."""

from math import asin, pi, sqrt

import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.data.cartoon_drawing import ATTRIBUTES
from pam.data.cartoon_faces import DEFAULT_TASKS, draw_labels, make_part
from tests.examples import examples

FACES = 20_000
# The largest of some hundred standard errors, with room to spare.
ERRORS = 5.5

seeds = st.integers(0, 2**31)


def correlations(labels: torch.Tensor) -> torch.Tensor:
    """The matrix of Pearson's correlations of 0/1 columns (their phi coefficients)."""
    return torch.corrcoef(labels.to(torch.float64).T)


def related() -> torch.Tensor:
    """Which pairs of labels stand at the same place in two different default tasks."""
    mask = torch.zeros(len(ATTRIBUTES), len(ATTRIBUTES), dtype=torch.bool)
    tasks = list(DEFAULT_TASKS.values())
    for one in tasks:
        for other in tasks:
            for left, right in zip(one, other, strict=True):
                mask[left, right] = left != right
    return mask


@examples(15)
@given(st.floats(0, 0.95), seeds)
def test_correlations_are_those_of_a_common_normal_variable(correlation, seed):
    labels = draw_labels(FACES, correlation, torch.Generator().manual_seed(seed))
    assert labels.shape == (FACES, len(ATTRIBUTES))
    frequencies = labels.to(torch.float64).mean(0)
    assert float((frequencies - 0.5).abs().max()) < ERRORS * 0.5 / sqrt(FACES)
    expected = torch.eye(len(ATTRIBUTES), dtype=torch.float64)
    expected[related()] = 2 / pi * asin(correlation)
    assert float((correlations(labels) - expected).abs().max()) < ERRORS / sqrt(FACES)


@examples(10)
@given(seeds)
def test_without_correlation_triples_of_labels_are_independent(seed):
    labels = draw_labels(FACES, 0.0, torch.Generator().manual_seed(seed))
    signs = torch.where(labels, 1.0, -1.0).to(torch.float64)
    # The mean product of any three independent fair signs is 0.
    products = torch.einsum("na,nb,nc->abc", signs, signs, signs) / FACES
    i, j, k = torch.combinations(torch.arange(len(ATTRIBUTES)), 3).unbind(1)
    assert float(products[i, j, k].abs().max()) < ERRORS / sqrt(FACES)


@examples(15)
@given(st.integers(1, 150), st.integers(1, 150), st.sampled_from(["train", "test"]), seeds)
def test_a_face_depends_on_its_place_alone(few, many, part, seed):
    few, many = sorted((few, many))
    looks = {"size": 16, "correlation": 0.3, "noise": 0.05, "seed": seed}
    short, long = make_part(part, few, **looks), make_part(part, many, **looks)
    assert len(short) == few
    assert torch.equal(short.images, long.images[:few])
    assert torch.equal(short.labels, long.labels[:few])
