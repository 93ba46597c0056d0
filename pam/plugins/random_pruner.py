"""A control for pruners: units are removed at random."""

from collections.abc import Iterable, Iterator
from typing import Literal

import torch

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork
from pam.pruning import PerUnit, Pruned, prune_by_score, register, unit_keys
from pam.ranges import Fraction, PruneGroups
from pam.seeds import derive_seed


@register("random", title="random (control)", order=3, ladder="remaining")
def random(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Iterable[Fraction],
    *,
    seed: int,
    scope: Literal["global", "layer"] = "global",
    prune_groups: PruneGroups = "all",
) -> Iterator[Pruned]:
    """Prune progressively, every unit being as likely to go as any other.

    Args:
        network: connected; is left as it was.
        data: is not looked at.
        strengths: fractions of the hidden units that are removed, in (0, 1), increasing.
        seed: of the choice of units.
        scope: ``"global"`` draws from all layers together, ``"layer"`` from every layer its part.
        prune_groups: ``"all"``, or ``"shared"`` to spare groups of one of several tasks.
    """

    def draw(current: GroupedNetwork, strength: float) -> PerUnit:
        generator = torch.Generator().manual_seed(derive_seed("random units", seed, str(strength)))
        return {
            key: torch.rand(units, generator=generator, dtype=torch.float64)
            for key, units in unit_keys(current)
        }

    return prune_by_score(network, strengths, draw, scope=scope, prune_groups=prune_groups)
