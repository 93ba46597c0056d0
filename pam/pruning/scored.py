"""Progressive pruning by any score of units: remove the lowest, fine-tune, go on from there."""

import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Literal

import torch

from pam.data import MultitaskDataset
from pam.networks import Group, GroupedNetwork
from pam.pruning.registry import Pruned, curve_rows
from pam.pruning.registry import fine_tune as train_pruned
from pam.pruning.units import Key, PerUnit, connected, remove, spared_groups, unit_keys
from pam.ranges import Fraction, PruneGroups, ScheduleSettings
from pam.seeds import derive_seed

Scope = Literal["global", "layer"]
"""What competes for removal: the units of all layers, or of every layer among themselves."""

Score = Callable[[GroupedNetwork, float], PerUnit]
"""From a network and the strength it is to be pruned at to a score of every unit."""


def prune_by_score(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Sequence[Fraction],
    score: Score,
    *,
    name: str,
    seed: int,
    scope: Scope = "global",
    prune_groups: PruneGroups = "all",
    fine_tune: ScheduleSettings | None = None,
) -> Iterator[Pruned]:
    """Prune progressively; a strength is the fraction of the hidden units that is removed.

    What is left stays connected, so a layer may keep a unit more than its share.

    Args:
        network: connected; is left as it was.
        data: fine-tunes on ``train``.
        strengths: fractions in (0, 1), increasing.
        score: units of the lowest score go first; ties go to the earlier layer, group and index.
        name: of the method, for errors and the progress bar.
        seed: of the order of samples.
        scope: ``"global"`` compares the units of all layers, ``"layer"`` removes the fraction of
            every layer.
        prune_groups: ``"all"``, or ``"shared"`` to spare groups of one of several tasks.
        fine_tune: schedule after removal.

    Raises:
        DivergenceError: if fine-tuning diverges.
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
        order = derive_seed(f"{name} tune", seed, str(strength))
        tuned = train_pruned(current, data, fine_tune, order, f"{name} {strength:g}")
        yield Pruned(strength, copy.deepcopy(current), curve_rows(tuned, "fine_tune"))


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
