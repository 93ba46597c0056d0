"""A control for pruning: the widths that it comes to, trained from random weights.

Liu et al., "Rethinking the Value of Network Pruning", ICLR 2019: does pruning find weights, or only
widths? VIBNet runs as ever; of each of its networks nothing but the widths is kept, and new weights
are trained for as many epochs as the old ones were: what came before pruning, and the penalty so
far, at the same learning rates. Fine-tuning is everybody's, and follows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork, draw_weights
from pam.pruning import PRUNERS, Pruned, curve_rows, register
from pam.ranges import Positive, ScheduleSettings
from pam.seeds import derive_seed
from pam.training import Schedule, Stage, fit, schedule_from

TRAIN: Mapping[str, Any] = {
    "stages": [
        {"epochs": 8, "learning_rate": 0.02},
        {"epochs": 4, "learning_rate": 0.004},
        {"epochs": 1, "learning_rate": 0.01},
    ]
}


@register(
    "scratch",
    title="from scratch (control)",
    paper="Liu et al., ICLR 2019",
    order=4,
    options_of="vibnet",
    beside="vibnet",
    ladder="growth",
    forecast={
        "train": (TRAIN, lambda strengths, networks: networks),
        # At every strength, and again for every network, on average up to half way.
        "penalty": (
            PRUNERS.forecast("vibnet")["penalty"],
            lambda strengths, networks: strengths + networks * strengths / 2,
        ),
    },
)
def scratch(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Iterable[Positive],
    *,
    seed: int,
    train: ScheduleSettings | None = None,
    **of_vibnet: Any,
) -> Iterator[Pruned]:
    """Yield networks of VIBNet's widths with new weights, which are trained once one is taken.

    Args:
        network: connected; is left as it was.
        data: trains on ``train``.
        strengths: as for ``vibnet``.
        seed: of ``vibnet``, whose networks are those of the row ``vibnet``; of the new weights and
            of the order of samples.
        train: schedule of what came before pruning: the stages of the single-task networks, then
            those of the retraining after the merge; a pruner is not told. By default 8 epochs at
            0.02, 4 at 0.004 and 1 at 0.01.
        **of_vibnet: every option of the pruner ``vibnet``.
    """
    before = schedule_from(TRAIN if train is None else train, "scratch option 'train'")
    rates: list[float] = []
    for pruned in PRUNERS.get("vibnet")(network, data, strengths, seed=seed, **of_vibnet):
        rates += [row["learning_rate"] for row in pruned.curve]
        fresh = GroupedNetwork(network.architecture, network.tasks, pruned.network.widths)
        axes = (*network.tasks, seed, str(pruned.strength))
        draw_weights(fresh, derive_seed("scratch weights", *axes))
        fresh.to(next(network.parameters()).device).eval()
        order = derive_seed("scratch order", *axes)
        prepare = partial(_train, fresh, data, extended(before, rates), order, pruned.strength)
        yield Pruned(pruned.strength, fresh, pruned.curve, prepare)


def _train(
    network: GroupedNetwork, data: MultitaskDataset, schedule: Schedule, seed: int, strength: float
) -> list[dict[str, Any]]:
    curve = fit(network, data, schedule, seed, description=f"scratch {strength:g}")
    return curve_rows(curve, "prune")


def extended(schedule: Schedule, rates: Iterable[float]) -> Schedule:
    """Return the schedule with further epochs, one at each of the learning rates."""
    more = (Stage(len(list(epochs)), rate) for rate, epochs in groupby(rates))
    return replace(schedule, stages=(*schedule.stages, *more))
