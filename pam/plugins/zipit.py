"""ZipIt!: merging by the correlation of activations, without training (Stoica et al., ICLR 2024).

"ZipIt! Merging Models from Different Tasks without Training". In every layer the most correlated
units are matched, across networks and, where that is allowed, within one. A matched pair becomes
one unit: the mean of the incoming weights of both, read with the sum of their outgoing weights. So
two networks of n units in a layer become one of n; only the output layers stay apart.

Our own implementation from the idea. Choices where it leaves room:

- Features are a layer's activations after its (last) ReLU, of the networks before merging, at all
  positions of the maps; every position of every image is a sample of a unit.
- More than two networks are added one at a time, in the order of the tasks; a unit joined before
  has the mean of its members' activations. So every step pairs the units of two sides, and ends.
- The paper's budget for pairs within a network is ``within``, the same for both sides.
- Units that never change have no correlation; two of them match first, for nothing depends on
  them. Ties go to the pair with the most similar incoming weights, then to the lowest index.
- The statistics of batch normalisations are estimated anew, from forward passes over the same
  images (Jordan et al., "REPAIR", ICLR 2023).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from pam.data import MultitaskDataset
from pam.merging import Forecast, register, sample_index, second_moments
from pam.merging import retrain as train_lightly
from pam.networks import Assembly, Group, GroupedNetwork, SingleTaskNetwork
from pam.ranges import Samples, ScheduleSettings, Share

NO_TRAINING: Mapping[str, Any] = {"stages": []}
BATCH_SIZE = 32
TIE_DECIMALS = 9
"""Correlations that agree to so many decimals are tied: rounding must not decide a pair."""

Members = list[list[int]]
"""Per unit of a merged layer, the units of the separate networks that it is made of."""


@register(
    "zipit",
    title="ZipIt!",
    paper="Stoica et al., ICLR 2024",
    order=3,
    forecast=lambda options, architecture: Forecast("zipped", "zipped", schedule=NO_TRAINING),
)
def zipit(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    within: Share = 1.0,
    samples: Samples = 512,
    retrain: ScheduleSettings | None = None,
) -> GroupedNetwork:
    """Zip all hidden layers; every unit ends up in the group of all tasks.

    Args:
        networks: task -> trained network.
        data: ``train`` gives the activations.
        seed: of the choice of images, and of retraining.
        within: share of a network's units in a layer that may be paired with one another, in
            [0, 1]; 0 pairs across networks only.
        samples: training images that correlations are taken from; the default is all if there are
            fewer.
        retrain: schedule of a light retraining afterwards; none by default.

    Raises:
        DataError: if an activation is NaN or infinite.
    """
    index = sample_index(data, samples, seed)
    images = data.train.images[index.to(data.train.images.device)]
    assembly = Assembly.unite([Assembly.of(network) for network in networks.values()])
    separate = assembly.network()
    layers = separate.hidden_layers
    covariance = covariances(separate, data, images)
    matched: dict[str, Members] = {}
    for layer in layers:
        units = {
            task: [i for i, group in enumerate(assembly.groups[layer]) if task in group]
            for task in networks
        }
        similar = incoming_similarity(assembly, layer, known=matched)
        matched[layer] = match_networks(covariance[layer], similar, list(units.values()), within)
        assembly = assembly.join(layer, matched[layer])
    everyone: Group = frozenset(networks)
    shared = {layer: [everyone] * len(matched[layer]) for layer in layers}
    network = replace(assembly, groups={**assembly.groups, **shared}).network().eval()
    estimate_statistics(network, data, images)
    network.notes["matched"] = matched
    return train_lightly(
        network, data, NO_TRAINING if retrain is None else retrain, seed, "retrain zipit"
    )


def covariances(
    network: GroupedNetwork, data: MultitaskDataset, images: Tensor
) -> dict[str, Tensor]:
    """Return layer -> covariance of all its units, float64 (units, units), units in group order.

    Args:
        network: single-task networks side by side.
        data: gives the normalisation.
        images: uint8 (samples, channels, height, width).
    """
    moments = second_moments(network, data, images)
    return {layer: second - torch.outer(mean, mean) for layer, (mean, second) in moments.items()}


def incoming_similarity(assembly: Assembly, layer: str, known: Mapping[str, object]) -> Tensor:
    """Return minus the distances between the weights into a layer's units, (units, units).

    Only weights that units of all networks read alike count: from the image and from layers that
    are joined already.
    """
    readable = [
        assembly.weights[node.name].flatten(1)
        for node in assembly.nodes_making(layer)
        if assembly.architecture.source_layer(node) not in assembly.groups
        or assembly.architecture.source_layer(node) in known
    ]
    units = len(assembly.groups[layer])
    rows = torch.cat([w.double().cpu() for w in readable] or [torch.zeros(units, 1)], dim=1)
    return -torch.cdist(rows.double(), rows.double())


def match_networks(
    covariance: Tensor, similarity: Tensor, units: Sequence[Sequence[int]], within: float
) -> Members:
    """Return the units of the merged layer: as many as the widest network has.

    Args:
        covariance: of all units, float64 (units, units).
        similarity: what decides between pairs of equal correlation, float64 (units, units).
        units: per network its units.
        within: share of a network's units that may be paired with one another.
    """
    members: Members = [[unit] for unit in units[0]]
    for others in units[1:]:
        sides = (len(members), len(others))
        members = [*members, *([unit] for unit in others)]
        mean = torch.zeros(len(members), len(covariance), dtype=torch.float64)
        for row, joined in enumerate(members):
            mean[row, joined] = 1 / len(joined)
        scores = correlations(mean @ covariance @ mean.T)
        pairs = match(scores, mean @ similarity @ mean.T, sides, int(within * min(sides) / 2))
        members = _paired(members, pairs)
    return members


def correlations(covariance: Tensor) -> Tensor:
    """Return correlations; of two constant units 1, of a constant and a varying one 0."""
    variance = covariance.diagonal()
    constant = variance <= 1e-12 * variance.max().clamp_min(1e-300)
    scale = torch.where(constant, inf, variance).sqrt()
    scores = covariance / scale[:, None] / scale[None, :]
    return torch.where(constant[:, None] & constant[None, :], 1.0, scores)


def match(
    scores: Tensor, similarity: Tensor, sides: tuple[int, int], budget: int
) -> list[tuple[int, int]]:
    """Return greedy pairs of units, the best first, as many as the smaller side has units.

    Args:
        scores: float64 (units, units), the units of both sides one after the other.
        similarity: decides where scores are tied, float64 (units, units).
        sides: units of the first side and of the second.
        budget: pairs that each side may make of its own units.
    """
    first, second = torch.triu_indices(len(scores), len(scores), offset=1)
    order = similarity[first, second].argsort(descending=True, stable=True)
    ranked = scores[first, second].round(decimals=TIE_DECIMALS)[order]
    order = order[ranked.argsort(descending=True, stable=True)]
    left = {0: budget, 1: budget}
    free = [True] * len(scores)
    pairs: list[tuple[int, int]] = []
    for one, other in zip(first[order].tolist(), second[order].tolist(), strict=True):
        if len(pairs) == min(sides):
            break
        side = int(one >= sides[0])
        inside = side == int(other >= sides[0])
        if free[one] and free[other] and not (inside and left[side] == 0):
            free[one] = free[other] = False
            left[side] -= inside
            pairs.append((one, other))
    return pairs


def _paired(members: Members, pairs: Sequence[tuple[int, int]]) -> Members:
    """Return the members of pairs and of units without a partner, in the order of first units."""
    partner = dict(pairs)
    taken = set(partner.values())
    return [
        [*joined, *(members[partner[unit]] if unit in partner else ())]
        for unit, joined in enumerate(members)
        if unit not in taken
    ]


def estimate_statistics(network: GroupedNetwork, data: MultitaskDataset, images: Tensor) -> None:
    """Set means and variances of all batch normalisations, in place, to those over ``images``."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # The mean over batches, each counting the same.
    network.train()
    with torch.no_grad():
        for some in images.split(BATCH_SIZE):
            network(data.normalise(some))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
