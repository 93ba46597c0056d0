"""Taylor pruning events: a network in training loses some units at regular intervals."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from pam.data import MultitaskDataset
from pam.durable.checkpoints import Outcome, step
from pam.errors import DivergenceError
from pam.networks import Group, GroupedNetwork
from pam.pruning.importance import Importance
from pam.pruning.units import PerUnit
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
    per_event: int
    learning_rate: float
    batch_size: int


def least_important(
    network: GroupedNetwork,
    data: MultitaskDataset,
    excess: int,
    spared: Collection[Group],
    events: Events,
    seed: int,
    description: str,
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

    Returns:
        bool and float64 (units,) per layer and group.

    Raises:
        DivergenceError: if the loss of an interval is not finite.
    """
    search = _Search(network, excess, events)
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

    def __init__(self, network: GroupedNetwork, excess: int, events: Events) -> None:
        schedule = Schedule((), events.batch_size)
        optimiser = nesterov(network, events.learning_rate, schedule)
        self.training = Progress(network, (), (), lambda _: optimiser)
        self.training.enter(0)
        self.importance = Importance(network, events.criterion, events.momentum)
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
