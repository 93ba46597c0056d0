"""Filter norm: units with small incoming weights go first (Li et al., ICLR 2017)."""

from collections.abc import Iterable, Iterator
from typing import Literal

import torch

from pam.data import MultitaskDataset
from pam.networks import Assembly, GroupedNetwork
from pam.pruning import PerUnit, Pruned, prune_by_score, register
from pam.ranges import Fraction, PruneGroups


@register("l1", title="L1 norm", paper="Li et al., ICLR 2017", order=2, ladder="remaining")
def l1(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Iterable[Fraction],
    *,
    seed: int,
    scope: Literal["global", "layer"] = "global",
    prune_groups: PruneGroups = "all",
) -> Iterator[Pruned]:
    """Prune progressively by the L1 norm of a unit's incoming weights.

    Args:
        network: connected; is left as it was.
        data: is not looked at.
        strengths: fractions of the hidden units that are removed, in (0, 1), increasing.
        seed: of nothing, for nothing is random.
        scope: ``"global"`` compares the units of all layers, each norm divided by the mean of
            its layer; ``"layer"`` removes the fraction of every layer, as in the paper.
        prune_groups: ``"all"``, or ``"shared"`` to spare groups of one of several tasks.
    """
    return prune_by_score(
        network,
        strengths,
        lambda current, _: relative_norms(current),
        scope=scope,
        prune_groups=prune_groups,
    )


def relative_norms(network: GroupedNetwork) -> PerUnit:
    """Return the L1 norm of all weights into a unit over its layer's mean, float64 (units,).

    A channel that several convolutions make (of a residual stage) has the sum of its norms.
    """
    assembly = Assembly.of(network)
    scores: PerUnit = {}
    for layer in network.hidden_layers:
        weights = [assembly.weights[node.name] for node in assembly.nodes_making(layer)]
        norms = sum((w.double().abs().sum(dim=(1, 2)) for w in weights), torch.zeros(()))
        relative = norms / norms.mean().clamp_min(torch.finfo(torch.float64).tiny)
        widths = network.widths[layer]
        for group, values in zip(widths, relative.split(list(widths.values())), strict=True):
            scores[layer, group] = values
    return scores
