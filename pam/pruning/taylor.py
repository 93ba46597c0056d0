"""Taylor pruning: first-order importance of a gate (Molchanov et al., CVPR 2019)."""

import copy
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork
from pam.pruning.events import Events, least_important
from pam.pruning.fine_tuning import curve_rows
from pam.pruning.fine_tuning import fine_tune as train_pruned
from pam.pruning.registry import Pruned, register
from pam.pruning.units import connected, remove, spared_groups, unit_keys
from pam.ranges import (
    BatchSize,
    BelowOne,
    Count,
    Fraction,
    Positive,
    PruneGroups,
    ScheduleSettings,
)
from pam.seeds import derive_seed


@register("taylor", title="Taylor (P2)", paper="Molchanov et al., CVPR 2019", order=1)
def taylor(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Sequence[Fraction],
    *,
    seed: int,
    criterion: Literal["squared", "absolute"] = "squared",
    momentum: BelowOne = 0.9,
    interval: Count = 10,
    event_fraction: Annotated[float, Field(gt=0, le=1)] = 0.02,
    prune_groups: PruneGroups = "all",
    learning_rate: Positive = 0.01,
    batch_size: BatchSize = 32,
    fine_tune: ScheduleSettings | None = None,
) -> Iterator[Pruned]:
    """Prune progressively; a strength is the fraction of the hidden units that is removed.

    While the network trains, every ``interval`` minibatches the least important units of all
    layers together are switched off, until the fraction is reached; then they are removed and
    what is left is fine-tuned. The next strength goes on from there.

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
        fine_tune: schedule after removal.
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
        tuned = train_pruned(
            current, data, fine_tune, derive_seed("taylor tune", seed, key), f"taylor {strength:g}"
        )
        yield Pruned(strength, copy.deepcopy(current), curve_rows(tuned, "fine_tune"))
