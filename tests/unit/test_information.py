"""Entropy, mutual information and the label ceiling: values by hand and bad input."""

import math

import numpy as np
import pytest
import torch

import pam
from pam.information import entropy, label_entropy, mutual_information, per_unit_information

ESTIMATES = {
    "entropy": lambda x: entropy(x),
    "mutual_information": lambda x: mutual_information(x, torch.ones(len(x), 1)),
    "per_unit_information": lambda x: per_unit_information(x, torch.ones(len(x), 1)),
}


def test_two_samples_by_hand():
    # Two samples at distance 1: both row means are (1 + exp(-1 / 0.2)) / 2.
    x = torch.tensor([0.0, 1.0])
    mean = (1 + math.exp(-5)) / 2
    by_hand = 0.5 + 0.5 * math.log(0.2 * math.pi) - math.log(mean)
    assert entropy(x) == pytest.approx(by_hand, abs=1e-12)
    # Each class is one sample, so H(x | y) is the constant and the information is -ln(mean).
    labels = torch.tensor([-1, 1])
    assert mutual_information(x, labels) == pytest.approx(-math.log(mean), abs=1e-12)


def test_many_labels_do_not_underflow():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (64, 500), generator=generator) * 2 - 1
    x = torch.arange(64.0)[:, None] * 100
    assert mutual_information(x, labels) == pytest.approx(label_entropy(labels), rel=1e-12)


def test_label_entropy_by_hand():
    assert label_entropy([-1, 1]) == pytest.approx(math.log(2))
    assert label_entropy(torch.ones(5, 2)) == 0
    labels = np.array([[1, 1], [1, -1], [1, -1], [-1, -1]])
    quarter = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert label_entropy(labels) == pytest.approx(2 * quarter)


def test_constant_neuron_has_exactly_no_information():
    labels = torch.tensor([1, 1, -1, 1, -1, 1, 1])
    assert mutual_information(torch.full((7, 2), 0.3), labels) == 0
    assert per_unit_information(torch.full((7, 2), 0.3), labels).tolist() == [0, 0]


def test_large_scales_keep_their_digits():
    # The pairs lie 0.3 apart at 1e6: products of activations would lose the difference.
    near = torch.tensor([0.0, 0.3, 0.0, 0.3], dtype=torch.float64)
    labels = torch.tensor([-1, 1, -1, 1])
    shifted = mutual_information(near + 1e6, labels)
    assert shifted == pytest.approx(mutual_information(near, labels), abs=1e-8)


@pytest.mark.parametrize("estimate", ESTIMATES.values(), ids=ESTIMATES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite_is_named(estimate, bad):
    x = torch.zeros(4, 2)
    x[2, 1] = bad
    with pytest.raises(pam.DataError, match=r"^(x|activations) holds NaN or infinite"):
        estimate(x)


@pytest.mark.parametrize("estimate", ESTIMATES.values(), ids=ESTIMATES)
def test_more_axes_are_refused(estimate):
    with pytest.raises(pam.ShapeError, match="must have shape"):
        estimate(torch.zeros(4, 2, 2))


@pytest.mark.parametrize("empty", [torch.zeros(0, 3), torch.zeros(3, 0)])
def test_empty_is_refused(empty):
    with pytest.raises(pam.DataError, match="empty"):
        entropy(empty)
    with pytest.raises(pam.DataError, match="empty"):
        mutual_information(empty, torch.ones(len(empty), 1))


def test_text_is_refused():
    with pytest.raises(pam.DataError, match="not a tensor of numbers"):
        entropy("abc")


@pytest.mark.parametrize("labels", [[0, 1, 1, 0], [1, -1, 2, 1], [1, -1, 0.5, 1]])
def test_labels_must_be_signs(labels):
    with pytest.raises(pam.DataError, match="labels must be -1 or \\+1"):
        mutual_information(torch.zeros(4, 2), labels)
    with pytest.raises(pam.DataError, match="labels must be -1 or \\+1"):
        label_entropy(labels)


def test_lengths_must_agree():
    with pytest.raises(pam.ShapeError, match="labels has 3 rows for 4 samples"):
        mutual_information(torch.zeros(4, 2), [1, -1, 1])


@pytest.mark.parametrize("variance", [0, -0.1, math.nan, math.inf, "wide"])
def test_noise_variance_must_be_positive(variance):
    for call in (
        lambda: entropy(torch.zeros(2, 1), variance),
        lambda: mutual_information(torch.zeros(2, 1), [1, -1], variance),
        lambda: per_unit_information(torch.zeros(2, 1), [1, -1], variance),
    ):
        with pytest.raises(pam.ConfigError, match="noise_variance"):
            call()
