"""How much a set of neurons knows about a set of binary labels, in nats."""

from pam.information.estimates import (
    DEFAULT_NOISE_VARIANCE,
    entropy,
    label_entropy,
    mutual_information,
    per_unit_information,
)

__all__ = [
    "DEFAULT_NOISE_VARIANCE",
    "entropy",
    "label_entropy",
    "mutual_information",
    "per_unit_information",
]
