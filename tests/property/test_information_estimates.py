"""The estimates against a sample-by-sample reference, and what must leave them unchanged."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam.information import entropy, label_entropy, mutual_information, per_unit_information
from tests.examples import examples
from tests.reference.information_reference import (
    slow_entropy,
    slow_label_entropy,
    slow_mutual_information,
)


@st.composite
def problems(draw):
    """Random activations, labels and noise variance; neurons may be dead or duplicated."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples = draw(st.integers(1, 24))
    dims = draw(st.integers(1, 6))
    scale = draw(st.sampled_from([1e-3, 0.1, 1.0, 10.0, 1e4]))
    x = rng.normal(size=(samples, dims)) * scale
    if draw(st.booleans()):
        x = np.maximum(x, 0)
    labels = np.where(rng.random((samples, draw(st.integers(1, 4)))) < rng.random(), 1, -1)
    return x, labels, draw(st.sampled_from([0.01, 0.1, 1.0]))


@examples(150)
@given(problems())
def test_estimates_equal_the_reference(problem):
    x, labels, variance = problem
    assert entropy(x, variance) == pytest.approx(slow_entropy(x, variance), abs=1e-8)
    slow = slow_mutual_information(x, labels, variance)
    assert mutual_information(x, labels, variance) == pytest.approx(slow, abs=1e-8)
    assert label_entropy(labels) == pytest.approx(slow_label_entropy(labels), abs=1e-12)
    units = per_unit_information(x, labels, variance)
    each = [slow_mutual_information(x[:, [k]], labels, variance) for k in range(x.shape[1])]
    assert units.dtype == torch.float64
    np.testing.assert_allclose(units.numpy(), each, atol=1e-8)


@examples(150)
@given(problems())
def test_information_lies_between_nothing_and_the_ceiling(problem):
    x, labels, variance = problem
    assert -1e-9 <= mutual_information(x, labels, variance) <= label_entropy(labels) + 1e-9


@examples(50)
@given(problems())
def test_far_apart_samples_tell_every_label(problem):
    _, labels, variance = problem
    x = np.arange(len(labels)) * 100.0
    assert mutual_information(x, labels, variance) == pytest.approx(label_entropy(labels), abs=1e-9)


def test_many_samples_are_taken_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(50, 3)), np.where(rng.random((50, 2)) < 0.3, 1, -1)
    expected = entropy(x), mutual_information(x, labels)
    monkeypatch.setattr("pam.information.estimates._ROW_BLOCK_ELEMENTS", 7 * 50)
    assert (entropy(x), mutual_information(x, labels)) == pytest.approx(expected, abs=1e-12)
