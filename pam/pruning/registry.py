"""The contract of a pruner, and the registry of pruners."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork
from pam.registry import PRUNER, Registry
from pam.source import entry_points
from pam.training import Epoch


@dataclass(frozen=True)
class Pruned:
    """A network after pruning at one strength: physically smaller.

    Attributes:
        strength: as asked for.
        network: holds the units that are left and nothing else.
        curve: epochs of training since the strength before, as rows with a ``"phase"``.
        prepare: called if the network is taken, before it is fine-tuned: does to it, in place,
            what is not worth doing otherwise, and returns further rows of the curve.
    """

    strength: float
    network: GroupedNetwork
    curve: list[dict[str, Any]] = field(default_factory=list)
    prepare: Callable[[], list[dict[str, Any]]] = list


class Pruner(Protocol):
    """Prunes one connected network progressively, yielding one :class:`Pruned` per strength.

    What it yields is not fine-tuned: :func:`pam.pruning.prune_progressively` does that, in place
    and before it asks for the next network. So a pruner that goes on from the fine-tuned network
    yields the very network it works on, one that goes on from before yields a copy.

    Args of a call:
        network: is left as it was; its tasks are connected through common groups.
        data: a pruner may use ``train`` and ``validation``, never ``test``.
        strengths: strictly increasing; what the numbers mean is the pruner's to say. To be gone
            through once and one by one: the next may depend on the network of the last.
        seed: of everything random in it.
        **options: as they stand in a configuration; unknown ones raise ConfigError.
    """

    def __call__(
        self,
        network: GroupedNetwork,
        data: MultitaskDataset,
        strengths: Iterable[float],
        *,
        seed: int,
        **options: Any,
    ) -> Iterator[Pruned]: ...


PRUNERS: Registry[Pruner] = Registry(PRUNER, entry_points.load)
register = PRUNERS.register
"""A ``forecast`` names the options that are schedules: option -> its default, if every strength
trains by it once, else (default, function from the number of strengths and of networks taken to how
often)."""


def curve_rows(curve: Sequence[Epoch], phase: str) -> list[dict[str, Any]]:
    """Return epochs as JSON-able rows that name their phase (``"prune"`` or ``"fine_tune"``)."""
    return [{"phase": phase, **asdict(epoch)} for epoch in curve]
