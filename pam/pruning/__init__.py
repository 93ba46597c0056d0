"""Pruning: from a multitask network to physically smaller ones."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

from pam.data import MultitaskDataset
from pam.errors import ConfigError
from pam.groups import components
from pam.networks import Assembly, GroupedNetwork
from pam.pruning import taylor, vibnet  # noqa: F401 - their import registers them
from pam.pruning.registry import PRUNERS, Pruned, Pruner, curve_rows, fine_tune, register
from pam.pruning.scored import prune_by_score
from pam.pruning.units import Key, PerUnit, connected, remove, scale, spared_groups, unit_keys
from pam.source.options import check_call

__all__ = [
    "PRUNERS",
    "Key",
    "PerUnit",
    "Pruned",
    "Pruner",
    "connected",
    "curve_rows",
    "fine_tune",
    "prune",
    "prune_by_score",
    "prune_progressively",
    "register",
    "remove",
    "scale",
    "spared_groups",
    "unit_keys",
]


def prune(
    network: GroupedNetwork,
    method: str,
    data: MultitaskDataset,
    *,
    strength: float,
    seed: int = 0,
    **options: Any,
) -> GroupedNetwork:
    """Prune a network at one strength; see :func:`prune_progressively`."""
    (pruned,) = prune_progressively(network, method, data, [strength], seed=seed, **options)
    return pruned.network


def prune_progressively(
    network: GroupedNetwork,
    method: str,
    data: MultitaskDataset,
    strengths: Sequence[float],
    *,
    seed: int = 0,
    **options: Any,
) -> Iterator[Pruned]:
    """Prune a network at increasing strengths, yielding one smaller network for each.

    Parts of the network that share nothing are pruned on their own: networks that were not
    merged are pruned exactly as if each were alone.

    Args:
        network: is left as it was.
        method: ``"vibnet"``, ``"taylor"``, ... (see ``PRUNERS``).
        data: the data set of the tasks; ``test`` is never used.
        strengths: positive and strictly increasing; the method says what they mean.
        seed: of everything random in the pruner.
        **options: of the method.

    Raises:
        ConfigError: for an unknown method, option or value.
        DivergenceError: if the loss is no longer finite.
    """
    pruner = PRUNERS.get(method)
    strengths = _checked(strengths)
    given = {"strengths": strengths, **options}
    check_call(PRUNERS, method, given, len(data.train), network.hidden_layers)
    whole = Assembly.of(network)
    parts = components(network.widths, list(network.tasks))
    runs = [
        pruner(whole.restrict(part).network(), data, strengths, seed=seed, **options)
        for part in parts
    ]
    for results in zip(*runs, strict=True):
        united = Assembly.unite([Assembly.of(result.network) for result in results])
        together = replace(united, tasks=dict(network.tasks)).network().eval()
        curve = [row for result in results for row in result.curve]
        yield Pruned(results[0].strength, together, curve)


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
