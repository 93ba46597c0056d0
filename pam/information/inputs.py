"""Checked float64 copies of what the estimates are given."""

from typing import Any

import torch
from torch import Tensor

from pam.errors import ConfigError, DataError, ShapeError


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
