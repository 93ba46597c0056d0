"""Entropy and mutual information by Gaussian kernel density estimates, in nats.

Source: Kolchinsky and Tracey, "Estimating mixture entropy with pairwise distances", Entropy 19(7),
2017: the pairwise upper bound on the entropy of a mixture of Gaussians of variance s2 centred on
the samples t_1 .. t_B in R^d,

    H = d/2 + d/2 ln(2 pi s2) - 1/B sum_i ln( 1/B sum_j exp(-|t_i - t_j|^2 / (2 s2)) ).
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pam.errors import ConfigError, DataError, ShapeError
from pam.information.joint import CandidateKernels, LabelClasses

DEFAULT_NOISE_VARIANCE = 0.1
_ROW_BLOCK_ELEMENTS = 2**22


def entropy(x: Any, noise_variance: float = DEFAULT_NOISE_VARIANCE) -> float:
    """Return the upper bound on the differential entropy of ``x`` plus Gaussian noise, in nats.

    Args:
        x: float tensor or array, (samples, dims), or (samples,) for a single neuron.
        noise_variance: variance s2 of the noise in every dimension, in squared units of ``x``.

    Raises:
        ConfigError: if ``noise_variance`` is not positive.
        ShapeError: if ``x`` has more than two axes.
        DataError: if ``x`` is empty or holds NaN or infinity.
    """
    noise_variance = check_noise_variance(noise_variance)
    x = as_samples(x)
    log_densities = torch.cat([kernel.mean(1).log() for _, kernel in _rows(x, noise_variance)])
    dims = x.shape[1]
    constant = dims / 2 * (1 + math.log(2 * math.pi * noise_variance))
    return constant - float(log_densities.mean())


def mutual_information(
    x: Any, labels: Any, noise_variance: float = DEFAULT_NOISE_VARIANCE
) -> float:
    """Return the information of ``x`` about each label column, summed over the columns, in nats.

    Per column it is ``H(x) - sum_v p_v H(x | y = v)`` with the estimate of :func:`entropy` on all
    samples and on those of each class; the constants of the dimension cancel and an empty class
    counts nothing. It never exceeds :func:`label_entropy`, which it reaches once the samples lie
    several noise widths apart. (He et al., KDD 2021.)

    Args:
        x: float tensor or array, (samples, dims), or (samples,) for a single neuron.
        labels: -1 or +1, (samples, L), or (samples,) for a single label.
        noise_variance: variance of the noise in every dimension, in squared units of ``x``.

    Raises:
        ConfigError: if ``noise_variance`` is not positive.
        ShapeError: if an argument has more than two axes or the numbers of samples differ.
        DataError: if an argument is empty, ``x`` holds NaN or infinity, or a label is not ±1.
    """
    noise_variance = check_noise_variance(noise_variance)
    x = as_samples(x)
    classes = LabelClasses(as_labels(labels, x))
    positive = (classes.columns > 0).to(torch.float64)
    total = 0.0
    for rows, kernel in _rows(x, noise_variance):
        sums = torch.where(positive[rows] > 0, kernel @ positive, kernel @ (1 - positive))
        total += float(classes.shares(sums[:, :, None], rows))
    return total


def label_entropy(labels: Any) -> float:
    """Return the sum over label columns of their binary entropies, in nats.

    This is the ceiling of :func:`mutual_information`: the columns are taken as independent.

    Args:
        labels: -1 or +1, (samples, L), or (samples,) for a single label.

    Raises:
        ShapeError: if ``labels`` has more than two axes.
        DataError: if it is empty or a label is not ±1.
    """
    positive = (as_labels(labels) > 0).to(torch.float64).mean(0)
    return float(-(torch.xlogy(positive, positive) + torch.xlogy(1 - positive, 1 - positive)).sum())


def per_unit_information(
    activations: Any, labels: Any, noise_variance: float = DEFAULT_NOISE_VARIANCE
) -> Tensor:
    """Return every neuron's own :func:`mutual_information` with the label set.

    Args:
        activations: float tensor or array, (samples, units).
        labels: -1 or +1, (samples, L), or (samples,) for a single label.
        noise_variance: variance of the noise, in squared units of the activations.

    Returns:
        float64 tensor (units,), in nats, on the device of ``activations``.

    Raises:
        ConfigError, ShapeError, DataError: as :func:`mutual_information`.
    """
    noise_variance = check_noise_variance(noise_variance)
    activations = as_samples(activations, "activations")
    classes = LabelClasses(as_labels(labels, activations))
    kernels = CandidateKernels(activations, noise_variance, memory=0)
    samples = len(activations)
    return kernels.joint_information(classes, activations.new_ones(samples, samples))


def _rows(x: Tensor, noise_variance: float) -> Iterator[tuple[slice, Tensor]]:
    """Yield (rows, kernel between these rows and all samples) until every sample was a row."""
    block = max(1, _ROW_BLOCK_ELEMENTS // len(x))
    for start in range(0, len(x), block):
        rows = slice(start, min(start + block, len(x)))
        # The expanded form |a|^2 + |b|^2 - 2ab loses all digits at large scales.
        distance = torch.cdist(x[rows], x, compute_mode="donot_use_mm_for_euclid_dist")
        yield rows, distance.square_().mul_(-0.5 / noise_variance).exp_()


def as_samples(value: Any, name: str = "x") -> Tensor:
    """Return ``value`` as a detached float64 tensor (samples, dims); 1-D input is one dim.

    Args:
        value: tensor or array of real numbers, (samples,) or (samples, dims).
        name: what the error sentences call it.

    Raises:
        ShapeError: if it has another number of axes.
        DataError: if it is not numeric, is empty, or holds NaN or infinity.
    """
    try:
        tensor = torch.as_tensor(value).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{name} is not a tensor of numbers: {error}") from error
    if tensor.is_complex():
        raise DataError(f"{name} must hold real numbers, not {tensor.dtype}")
    if tensor.ndim == 1:
        tensor = tensor[:, None]
    if tensor.ndim != 2:
        raise ShapeError(f"{name} must have shape (samples, dims), not {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        raise DataError(f"{name} of shape {tuple(tensor.shape)} is empty")
    tensor = tensor.to(torch.float64)
    if not bool(torch.isfinite(tensor).all()):
        raise DataError(f"{name} holds NaN or infinite values")
    return tensor


def as_labels(value: Any, samples: Tensor | None = None, name: str = "labels") -> Tensor:
    """Return ±1 labels as a float64 tensor (samples, L), on the device of ``samples`` if given.

    Raises:
        ShapeError: if it is not 1-D or 2-D, or its length is not that of ``samples``.
        DataError: if it is empty or a value is not -1 or +1.
    """
    labels = as_samples(value, name)
    if samples is not None:
        if len(labels) != len(samples):
            raise ShapeError(f"{name} has {len(labels)} rows for {len(samples)} samples")
        labels = labels.to(samples.device)
    if not bool((labels.abs() == 1).all()):
        raise DataError(f"{name} must be -1 or +1")
    return labels


def check_noise_variance(noise_variance: float) -> float:
    """Return the noise variance as a float.

    Raises:
        ConfigError: unless it is a positive finite number.
    """
    try:
        value = float(noise_variance)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"noise_variance must be a number, not {noise_variance!r}") from error
    if not 0 < value < float("inf"):
        raise ConfigError(f"noise_variance must be positive and finite, not {noise_variance}")
    return value
