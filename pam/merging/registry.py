"""The contract of a merger, the registry of mergers, and the retraining that follows a merge."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork, SingleTaskNetwork
from pam.registry import MERGER, Registry
from pam.source import entry_points
from pam.training import fit, schedule_from


class Merger(Protocol):
    """Makes one multitask network of trained single-task networks.

    Args of a call:
        networks: task -> trained network; they share one architecture and input shape.
        data: a merger may use ``train`` and ``validation``, never ``test``.
        seed: of everything random in it.
        **options: as they stand in a configuration; unknown ones raise ConfigError.
    """

    def __call__(
        self,
        networks: Mapping[str, SingleTaskNetwork],
        data: MultitaskDataset,
        *,
        seed: int,
        **options: Any,
    ) -> GroupedNetwork: ...


Size = Literal["zipped", "side_by_side", "all_shared"]
"""Of a merged network: as wide as one network, as several that share nothing, or as several whose
units all read one another."""


@dataclass(frozen=True)
class Forecast:
    """What a merger will make and train, as far as that is known before it merges.

    Attributes:
        cheapest: the network that costs least among those it may make.
        dearest: the one that costs most; what lies between has groups of single tasks and of all.
        trainings: how many times it trains by its schedule.
        schedule: of one training, if the option is not given that says it.
        option: the name of that option.
    """

    cheapest: Size = "zipped"
    dearest: Size = "all_shared"
    trainings: int = 1
    schedule: Mapping[str, Any] = field(default_factory=lambda: DEFAULT)
    option: str = "retrain"


MERGERS: Registry[Merger] = Registry(MERGER, entry_points.load)
register = MERGERS.register
"""A ``forecast`` is a function from options and an architecture to a :class:`Forecast`."""


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
