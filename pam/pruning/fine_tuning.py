"""The training that follows the removal of units."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork
from pam.training import Epoch, fit, schedule_from

DEFAULT: Mapping[str, Any] = {
    "stages": [{"epochs": 1, "learning_rate": 0.01}, {"epochs": 1, "learning_rate": 0.001}]
}


def fine_tune(
    network: GroupedNetwork,
    data: MultitaskDataset,
    settings: Mapping[str, Any] | None,
    seed: int,
    description: str,
) -> list[Epoch]:
    """Train a pruned network in place and return its curve.

    Args:
        network: plain, without gates.
        data: trains on ``train``.
        settings: a schedule as in a configuration; None for the default.
        seed: of the order of the samples.
        description: of the progress bar.
    """
    schedule = schedule_from(DEFAULT if settings is None else settings, "option 'fine_tune'")
    return fit(network, data, schedule, seed, description=description)


def curve_rows(curve: Sequence[Epoch], phase: str) -> list[dict[str, Any]]:
    """Return epochs as JSON-able rows that name their phase (``"prune"`` or ``"fine_tune"``)."""
    return [{"phase": phase, **asdict(epoch)} for epoch in curve]
