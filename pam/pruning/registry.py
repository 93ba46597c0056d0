"""The contract of a pruner, and the registry of pruners."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork
from pam.registry import PRUNER, Registry
from pam.source import entry_points


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
