"""Progressive pruning by any score of units: remove the lowest, go on from what is left."""

import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Literal

import torch

from pam.networks import Group, GroupedNetwork
from pam.pruning.registry import Pruned
from pam.pruning.units import Key, PerUnit, connected, remove, spared_groups, unit_keys
from pam.ranges import Fraction, PruneGroups

Scope = Literal["global", "layer"]
"""What competes for removal: the units of all layers, or of every layer among themselves."""

Score = Callable[[GroupedNetwork, float], PerUnit]
"""From a network and the strength it is to be pruned at to a score of every unit."""


def prune_by_score(
    network: GroupedNetwork,
    strengths: Iterable[Fraction],
    score: Score,
    *,
    scope: Scope = "global",
    prune_groups: PruneGroups = "all",
) -> Iterator[Pruned]:
    """Prune progressively; a strength is the fraction of the hidden units that is removed.

    What is left stays connected, so a layer may keep a unit more than its share. The next
    strength goes on from the network that was yielded, as fine-tuning leaves it.

    Args:
        network: connected; is left as it was.
        strengths: fractions in (0, 1), increasing.
        score: units of the lowest score go first; ties go to the earlier layer, group and index.
        scope: ``"global"`` compares the units of all layers, ``"layer"`` removes the fraction of
            every layer.
        prune_groups: ``"all"``, or ``"shared"`` to spare groups of one of several tasks.
    """
    spared = spared_groups(network, prune_groups)
    initial = _sizes(network, scope)
    current = copy.deepcopy(network)
    for strength in strengths:
        scores = score(current, strength)
        excess = {
            part: units - round((1 - strength) * initial[part])
            for part, units in _sizes(current, scope).items()
        }
        keep = _without_lowest(scores, excess, scope, spared)
        current = remove(current, connected(current, keep, scores))
        yield Pruned(strength, current)


def _part(key: Key, scope: str) -> str:
    """Return the part of the network whose units compete with those of a key."""
    return key[0] if scope == "layer" else "network"


def _sizes(network: GroupedNetwork, scope: str) -> dict[str, int]:
    sizes: Counter[str] = Counter()
    for key, units in unit_keys(network):
        sizes[_part(key, scope)] += units
    return sizes


def _without_lowest(
    scores: PerUnit, excess: Mapping[str, int], scope: str, spared: Collection[Group]
) -> PerUnit:
    """Return which units stay when every part loses its ``excess`` units of lowest score."""
    keep = {key: torch.ones(len(values), dtype=torch.bool) for key, values in scores.items()}
    for part, count in excess.items():
        pool = [key for key in scores if _part(key, scope) == part and key[1] not in spared]
        if not pool or count <= 0:
            continue
        stays = torch.ones(sum(len(scores[key]) for key in pool), dtype=torch.bool)
        values = torch.cat([scores[key].double().cpu() for key in pool])
        stays[torch.sort(values, stable=True).indices[:count]] = False
        for key, mask in zip(pool, stays.split([len(scores[key]) for key in pool]), strict=True):
            keep[key] = mask
    return keep
