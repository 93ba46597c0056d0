"""Taylor pruning with a gate per unit and reader: groups are learned while pruning.

An idea of this project, beside the faithful :mod:`pam.pruning.taylor` (docs/reader_gates.md).
"""

import copy
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from operator import itemgetter
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from pam.data import MultitaskDataset
from pam.groups import Group
from pam.networks import GroupedNetwork, ReaderGate
from pam.pruning.importance import Importance
from pam.pruning.reader_costs import edge_weight, executed_share
from pam.pruning.readers import (
    check_chain,
    edge_keys,
    moves,
    wire_factors,
)
from pam.pruning.registry import Pruned, register
from pam.pruning.taylor import Events, least_important, taylor
from pam.pruning.units import unit_keys
from pam.ranges import BatchSize, BelowOne, Count, Fraction, Positive
from pam.seeds import derive_seed


class ReaderImportance(Importance, ReaderGate):
    """The gates of an :class:`Importance`, one per unit and group that reads it.

    The least important for their cost go first (:func:`pam.pruning.reader_costs.edge_weight`).
    """

    keys = staticmethod(edge_keys)

    def __init__(
        self, network: GroupedNetwork, criterion: str, momentum: float, **weights: float
    ) -> None:
        super().__init__(network, criterion, momentum)
        self._tasks = len(network.tasks)
        self._weights = weights

    def read(self, layer: str, group: Group, reader: Group, tensor: Tensor) -> Tensor:
        return self.gated((layer, group, reader), tensor)

    def switch_off(self, count: float, spared: Collection[Group]) -> None:
        """Switch off gates until the units count less by ``count``; see :func:`taylor_readers`.

        Ties go to the earlier edge and unit; spared groups do not compete.
        """
        scores, alive = self.scores(), self.alive()
        open_readers: dict[tuple[str, Group, int], set[Group]] = {}
        ranked = []
        for edge, on in alive.items():
            layer, group, reader = edge
            price = edge_weight(edge, self._tasks, **self._weights)
            for unit in on.nonzero().flatten().tolist():
                open_readers.setdefault((layer, group, unit), set()).add(reader)
                if group not in spared:
                    ranked.append((float(scores[edge][unit]) / price, edge, unit))
        for _, edge, unit in sorted(ranked, key=itemgetter(0)):
            if count <= _ROUNDING:
                break
            layer, group, reader = edge
            left = open_readers[layer, group, unit]
            before = _size(left, self._tasks)
            left.remove(reader)
            count -= before - _size(left, self._tasks)
            self.close(edge, unit)


_ROUNDING = 1e-9


def _size(readers: Collection[Group], tasks: int) -> float:
    """Return what a unit of the union of some groups counts; 0 of none."""
    return executed_share(frozenset().union(*readers), tasks)


def _total(network: GroupedNetwork) -> float:
    """Return what all hidden units count together."""
    tasks = len(network.tasks)
    return sum(n * executed_share(group, tasks) for (_, group), n in unit_keys(network))


@register(
    "taylor_readers",
    title="Taylor readers",
    paper="reader gates, this project",
    order=11,
    beside="taylor",
    ladder="remaining",
)
def taylor_readers(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Iterable[Fraction],
    *,
    seed: int,
    criterion: Literal["squared", "absolute"] = "squared",
    momentum: BelowOne = 0.9,
    interval: Count = 10,
    event_fraction: Annotated[float, Field(gt=0, le=1)] = 0.02,
    learning_rate: Positive = 0.01,
    batch_size: BatchSize = 32,
    leaving_weight: Positive = 0.9,
    settled_weight: Positive = 0.75,
) -> Iterator[Pruned]:
    """Prune progressively, and move units to the groups of the tasks that still read them.

    As :func:`pam.pruning.taylor.taylor`, with a gate for every unit and group that reads it. A
    unit counts the share of all combinations of tasks that run it
    (:func:`pam.pruning.reader_costs.executed_share`), so one that leaves some of its tasks counts
    less. While the network trains, the gates of least importance for their cost are switched
    off, until the units count less by the fraction; then units are removed and moved
    (:func:`pam.pruning.readers.moves`). In a network of a single task every unit has one reader
    and counts 1, so it is pruned by Taylor pruning itself.

    Args:
        network: connected, a chain of layers; is left as it was.
        data: trains on ``train``.
        strengths: fractions in (0, 1), increasing.
        seed: of the order of samples.
        criterion: as for Taylor pruning.
        momentum: of the importance from one pruning event to the next; 0 for none.
        interval: minibatches between two events.
        event_fraction: fraction of the network's initial hidden units that an event takes off.
        learning_rate: of the steps between events.
        batch_size: of the steps between events.
        leaving_weight: factor on the cost of a gate to a reader of fewer tasks than the unit's,
            beside the share of combinations that run it.
        settled_weight: the same for a reader of the unit's tasks, if these are not all.

    Raises:
        ConfigError: for a residual network.
    """
    if len(network.tasks) == 1:
        yield from taylor(
            network,
            data,
            strengths,
            seed=seed,
            criterion=criterion,
            momentum=momentum,
            interval=interval,
            event_fraction=event_fraction,
            learning_rate=learning_rate,
            batch_size=batch_size,
        )
        return
    check_chain("taylor_readers", network.architecture)
    initial = _total(network)
    events = Events(
        criterion, momentum, interval, event_fraction * initial, learning_rate, batch_size
    )
    gates = partial(ReaderImportance, leaving=leaving_weight, settled=settled_weight)
    current = copy.deepcopy(network)
    for strength in strengths:
        excess = _total(current) - (1 - strength) * initial
        keep, scores = least_important(
            current,
            data,
            max(0.0, excess),
            (),
            events,
            derive_seed("taylor order", seed, str(strength)),
            f"taylor readers events {strength}",
            gates,
        )
        plan = moves(current, keep, scores)
        masks = {edge: mask | plan.forced.get(edge, False) for edge, mask in keep.items()}
        current = plan.apply(
            wire_factors(current, {edge: mask.float() for edge, mask in masks.items()})
        )
        yield Pruned(strength, current)
