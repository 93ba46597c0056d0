"""The contract of a pruner, the registry of pruners, and the training that follows a removal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork
from pam.registry import PRUNER, Registry
from pam.source import entry_points
from pam.training import Epoch, fit, schedule_from


@dataclass(frozen=True)
class Pruned:
    """A network after pruning at one strength: physically smaller, and fine-tuned.

    Attributes:
        strength: as asked for.
        network: holds the units that are left and nothing else.
        curve: epochs of training since the strength before, as rows with a ``"phase"``.
    """

    strength: float
    network: GroupedNetwork
    curve: list[dict[str, Any]] = field(default_factory=list)


class Pruner(Protocol):
    """Prunes one connected network progressively, yielding one :class:`Pruned` per strength.

    Args of a call:
        network: is left as it was; its tasks are connected through common groups.
        data: a pruner may use ``train`` and ``validation``, never ``test``.
        strengths: strictly increasing; what the numbers mean is the pruner's to say.
        seed: of everything random in it.
        **options: as they stand in a configuration; unknown ones raise ConfigError.
    """

    def __call__(
        self,
        network: GroupedNetwork,
        data: MultitaskDataset,
        strengths: Sequence[float],
        *,
        seed: int,
        **options: Any,
    ) -> Iterator[Pruned]: ...


PRUNERS: Registry[Pruner] = Registry(PRUNER, entry_points.load)
register = PRUNERS.register
"""A ``forecast`` names the options that are schedules: option -> what it is if not given."""


FINE_TUNE: Mapping[str, Any] = {
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
    schedule = schedule_from(FINE_TUNE if settings is None else settings, "option 'fine_tune'")
    return fit(network, data, schedule, seed, description=description)


def curve_rows(curve: Sequence[Epoch], phase: str) -> list[dict[str, Any]]:
    """Return epochs as JSON-able rows that name their phase (``"prune"`` or ``"fine_tune"``)."""
    return [{"phase": phase, **asdict(epoch)} for epoch in curve]
