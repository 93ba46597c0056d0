"""The light retraining that follows a merge."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork
from pam.training import fit, schedule_from

DEFAULT: Mapping[str, Any] = {"stages": [{"epochs": 1, "learning_rate": 0.01}], "batch_size": 32}


def retrain(
    network: GroupedNetwork,
    data: MultitaskDataset,
    settings: Mapping[str, Any] | None,
    seed: int,
    description: str,
) -> GroupedNetwork:
    """Train a merged network in place, on all its tasks together, and note the curve.

    Args:
        network: left in evaluation mode; its ``notes["curve"]`` grows by the epochs.
        data: trains on ``train``.
        settings: a schedule as in a configuration; None for one epoch at 0.01.
        seed: of the order of the samples.
        description: of the progress bar, e.g. the layer just merged.
    """
    schedule = schedule_from(DEFAULT if settings is None else settings, "merging option 'retrain'")
    curve = fit(network, data, schedule, seed, description=description)
    network.notes.setdefault("curve", []).extend(asdict(epoch) for epoch in curve)
    return network
