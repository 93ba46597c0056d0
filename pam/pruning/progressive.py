"""Progressive pruning: one pruner, every independent part alone, fine-tuning for all alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, zip_longest
from math import inf
from typing import Any

from pam.data import MultitaskDataset
from pam.errors import CollapseError, ConfigError, DivergenceError
from pam.groups import components
from pam.networks import Assembly, GroupedNetwork
from pam.pruning.path import CostPath, ListWalk, Walk
from pam.pruning.registry import PRUNERS, Pruned, curve_rows
from pam.seeds import derive_seed
from pam.source.options import check_call
from pam.training import Schedule, fit, schedule_from, task_accuracies

FINE_TUNE: Mapping[str, Any] = {
    "stages": [{"epochs": 1, "learning_rate": 0.01}, {"epochs": 1, "learning_rate": 0.001}]
}


def prune(
    network: GroupedNetwork,
    method: str,
    data: MultitaskDataset,
    *,
    strength: float,
    seed: int = 0,
    fine_tune: Mapping[str, Any] | None = None,
    **options: Any,
) -> GroupedNetwork:
    """Prune a network at one strength; see :func:`prune_progressively`."""
    (pruned,) = prune_progressively(
        network, method, data, [strength], seed=seed, fine_tune=fine_tune, **options
    )
    return pruned.network


def prune_progressively(
    network: GroupedNetwork,
    method: str,
    data: MultitaskDataset,
    strengths: Sequence[float] | CostPath,
    *,
    seed: int = 0,
    fine_tune: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[Pruned]:
    """Prune a network at increasing strengths, yielding the smaller networks that are taken.

    Parts of the network that share nothing are pruned on their own: networks that were not
    merged are pruned exactly as if each were alone. On a path a network is yielded when one of
    its parts is taken; the others stand in it as they were when they were last taken.

    Args:
        network: is left as it was.
        method: ``"vibnet"``, ``"taylor"``, ... (see ``PRUNERS``).
        data: the data set of the tasks; ``test`` is never used.
        strengths: positive and strictly increasing, the method says what they mean, and every
            network is taken; or a path, which says itself which are.
        seed: of everything random in the pruner and in fine-tuning.
        fine_tune: schedule of every network that is taken, as in a configuration; by default
            two epochs.
        **options: of the method.

    Raises:
        ConfigError: for an unknown method, option or value.
        CollapseError: if a network could not be connected.
        DivergenceError: if the loss is no longer finite.
    """
    pruner = PRUNERS.get(method)
    schedule = schedule_from(FINE_TUNE if fine_tune is None else fine_tune, "option 'fine_tune'")
    whole = Assembly.of(network)
    parts = [
        whole.restrict(part).network() for part in components(network.widths, list(network.tasks))
    ]
    some = strengths.first(2) if isinstance(strengths, CostPath) else strengths
    checked = _checked(some)
    given = {"strengths": checked, **options}
    check_call(PRUNERS, method, given, len(data.train), network.hidden_layers)
    runs = []
    for part in parts:
        walk = strengths.walk(part) if isinstance(strengths, CostPath) else ListWalk(checked)
        pruning = pruner(part, data, walk, seed=seed, **options)
        runs.append(_taken(pruning, walk, data, schedule, seed))
    standing = [Assembly.of(part) for part in parts]
    for results in zip_longest(*runs):
        taken = [one for one in results if one is not None]
        if not taken:
            continue
        standing = [
            before if one is None else Assembly.of(one.network)
            for one, before in zip(results, standing, strict=True)
        ]
        together = replace(Assembly.unite(standing), tasks=dict(network.tasks)).network().eval()
        curve = [row for one in taken for row in one.curve]
        yield Pruned(taken[0].strength, together, curve)


def _taken(
    pruning: Iterator[Pruned], walk: Walk, data: MultitaskDataset, schedule: Schedule, seed: int
) -> Iterator[Pruned | None]:
    """Yield one part's fine-tuned network for every strength, None where it is not taken."""
    curve: list[dict[str, Any]] = []
    try:
        for pruned in pruning:
            network, strength = pruned.network, pruned.strength
            curve += pruned.curve
            if not walk.takes(network):
                yield None
                continue
            curve += pruned.prepare()
            order = derive_seed("fine-tune", seed, str(strength))
            tuned = fit(network, data, schedule, order, description=f"fine-tune {strength:g}")
            walk.observe(
                tuned[-1].validation_accuracy
                if tuned
                else task_accuracies(network, data, data.validation)
            )
            yield Pruned(strength, network, curve + curve_rows(tuned, "fine_tune"))
            curve = []
    except (CollapseError, DivergenceError) as error:
        raise type(error)(f"strength {walk.strength:g}: {error}") from error


def _checked(strengths: Sequence[float]) -> list[float]:
    """Return strengths as floats, so that 1 and 1.0 are the same, seeds included."""
    try:
        checked = [float(strength) for strength in strengths]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"strengths must be numbers, not {strengths!r}") from error
    rising = all(low < high for low, high in pairwise([0.0, *checked]))
    if not checked or not rising or checked[-1] == inf:
        raise ConfigError(f"strengths must be positive and strictly increasing, not {checked}")
    return checked
