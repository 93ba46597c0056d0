"""Taylor pruning: a network in training loses its least important units at regular intervals.

The importance is the first-order one of a gate (Molchanov et al., CVPR 2019).
"""

import copy
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from pam.data import MultitaskDataset
from pam.durable.checkpoints import Outcome, step
from pam.errors import DivergenceError
from pam.networks import Group, GroupedNetwork
from pam.pruning.importance import Importance
from pam.pruning.registry import Pruned, register
from pam.pruning.units import PerUnit, connected, remove, spared_groups, unit_keys
from pam.ranges import BatchSize, BelowOne, Count, Fraction, Positive, PruneGroups
from pam.seeds import derive_seed
from pam.training import Schedule
from pam.training.loop import batches, descend, nesterov
from pam.training.progress import Progress

_IMPORTANCE = "importance."


@dataclass(frozen=True)
class Events:
    """How pruning events follow one another while the network trains.

    Attributes:
        criterion: ``"squared"`` or ``"absolute"``, of a gate's gradient.
        momentum: of the importance from one event to the next.
        interval: minibatches between two events.
        per_event: units switched off at an event.
        learning_rate, batch_size: of the steps between events.
    """

    criterion: str
    momentum: float
    interval: int
    per_event: float
    learning_rate: float
    batch_size: int


def least_important(
    network: GroupedNetwork,
    data: MultitaskDataset,
    excess: float,
    spared: Collection[Group],
    events: Events,
    seed: int,
    description: str,
    gates: Callable[[GroupedNetwork, str, float], Importance] = Importance,
) -> tuple[PerUnit, PerUnit]:
    """Train in place until ``excess`` units are off; return who is on, and last scores.

    Args:
        network: is trained in place, and left in training mode.
        data: trains on ``train``.
        excess: units to switch off; one interval is trained even if there are none.
        spared: groups that lose no units.
        events: how events follow one another.
        seed: of the order of samples.
        description: for errors and checkpoints.
        gates: makes them from the network, the criterion and the momentum.

    Returns:
        bool and float64 (units,) per layer and group.

    Raises:
        DivergenceError: if the loss of an interval is not finite.
    """
    search = _Search(network, excess, events, gates)
    with step(description, lambda: search.start(seed)) as opened, opened.safe_points():
        if opened.stored is not None:
            search.restore(*opened.stored)
        network.train()
        stream = _endless(data, events.batch_size, seed, search.taken)
        while not opened.finished:
            while len(search.training.losses) < events.interval:
                search.take_step(*next(stream))
                if opened.due():
                    opened.save(search.state, f"step {search.taken} of '{description}'")
            search.close_interval()
            if search.excess <= 0:
                break
            search.switch_off(spared)
        opened.finish(search.state)
    return search.importance.alive(), search.importance.last_scores()


class _Search:
    """The state of the search, which changes with every minibatch.

    Attributes:
        training: of the network, an interval in the place of an epoch.
        importance: the gates and their scores.
        excess: units still to be switched off.
        taken: minibatches so far.
    """

    def __init__(
        self,
        network: GroupedNetwork,
        excess: float,
        events: Events,
        gates: Callable[[GroupedNetwork, str, float], Importance],
    ) -> None:
        schedule = Schedule((), events.batch_size)
        optimiser = nesterov(network, events.learning_rate, schedule)
        self.training = Progress(network, (), (), lambda _: optimiser)
        self.training.enter(0)
        self.importance = gates(network, events.criterion, events.momentum)
        self.excess = excess
        self.taken = 0
        self._network = network
        self._events = events

    def take_step(self, images: Tensor, labels: dict[str, Tensor]) -> None:
        optimiser = self.training.optimiser
        loss = descend(self._network, optimiser, images, labels, self.importance)
        self.training.losses.append(loss)
        self.importance.observe()
        self.taken += 1

    def close_interval(self) -> None:
        loss = float(torch.stack(self.training.losses).mean())
        if not isfinite(loss):
            raise DivergenceError(f"taylor: the loss became {loss}")
        self.training.losses = []
        self.importance.close_interval()

    def switch_off(self, spared: Collection[Group]) -> None:
        self.importance.switch_off(min(self.excess, self._events.per_event), spared)
        self.excess -= self._events.per_event

    def start(self, seed: int) -> dict[str, Any]:
        """Return what identifies this search, JSON-able."""
        given = {"events": asdict(self._events), "excess": self.excess, "seed": seed}
        return {**self.training.start(), **given}

    def state(self) -> Outcome:
        """Return the state after at least one minibatch."""
        tensors, value = self.training.snapshot()
        scored = self.importance.state()
        tensors |= {_IMPORTANCE + name: tensor for name, tensor in scored.items()}
        return tensors, {**value, "taken": self.taken, "excess": self.excess}

    def restore(self, tensors: dict[str, Tensor], value: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        self.training.restore(tensors, value)
        prefix = len(_IMPORTANCE)
        scored = {n[prefix:]: t for n, t in tensors.items() if n.startswith(_IMPORTANCE)}
        self.importance.restore(scored)
        self.taken, self.excess = value["taken"], value["excess"]


def _endless(
    data: MultitaskDataset, batch_size: int, seed: int, first: int
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield shuffled batches from the ``first`` on, one pass over the training part after another.

    A part smaller than a batch is refused by the first pass.
    """
    passes, first = divmod(first, max(1, len(data.train) // batch_size))
    while True:
        generator = torch.Generator().manual_seed(derive_seed("pass", seed, passes))
        yield from batches(data, data.train, batch_size, generator, first)
        passes, first = passes + 1, 0


@register(
    "taylor",
    title="Taylor (P2)",
    paper="Molchanov et al., CVPR 2019",
    order=1,
    ladder="remaining",
)
def taylor(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Iterable[Fraction],
    *,
    seed: int,
    criterion: Literal["squared", "absolute"] = "squared",
    momentum: BelowOne = 0.9,
    interval: Count = 10,
    event_fraction: Annotated[float, Field(gt=0, le=1)] = 0.02,
    prune_groups: PruneGroups = "all",
    learning_rate: Positive = 0.01,
    batch_size: BatchSize = 32,
) -> Iterator[Pruned]:
    """Prune progressively; a strength is the fraction of the hidden units that is removed.

    While the network trains, every ``interval`` minibatches the least important units of all
    layers together are switched off, until the fraction is reached; then they are removed. The
    next strength goes on from what is left, as fine-tuning leaves it.

    Args:
        network: connected; is left as it was.
        data: trains on ``train``.
        strengths: fractions in (0, 1), increasing.
        seed: of the order of samples.
        criterion: ``"squared"`` gradient of a gate (the cited paper) or ``"absolute"`` (the PAM
            authors' variant, with ``momentum`` 0 and ``event_fraction`` 0.1).
        momentum: of the importance from one pruning event to the next; 0 for none.
        interval: minibatches between two events.
        event_fraction: fraction of the network's initial hidden units removed at an event.
        prune_groups: ``"all"``, or ``"shared"`` to spare groups of one of several tasks.
        learning_rate: of the steps between events.
        batch_size: of the steps between events.
    """
    spared = spared_groups(network, prune_groups)
    initial = sum(units for _, units in unit_keys(network))
    per_event = max(1, round(event_fraction * initial))
    events = Events(criterion, momentum, interval, per_event, learning_rate, batch_size)
    current = copy.deepcopy(network)
    for strength in strengths:
        key = str(strength)
        excess = sum(units for _, units in unit_keys(current)) - round((1 - strength) * initial)
        order = derive_seed("taylor order", seed, key)
        keep, scores = least_important(
            current, data, max(0, excess), spared, events, order, f"taylor events {key}"
        )
        current = remove(current, connected(current, keep, scores))
        yield Pruned(strength, current)
