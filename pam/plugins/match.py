"""Matching by what units do: pairs become shared units, whose weights are fitted anew.

Nasery et al., "PLeaS - Merging Models with Permutations and Least Squares", CVPR 2025: units of two
networks are assigned to one another by the distance of their activations. The best pairs become
one unit each, the others stay apart, and every layer's weights are the least-squares fit of what
its units computed before, given what they read now.

Our own implementation from the idea. Choices where it leaves room:

- Distances are squared, after ReLU, over all positions of all images.
- Of more than two networks all are matched to the first; a cluster is a unit of the first with its
  partners, and as good as the sum of its distances.
- Shared units read shared units only, as the wiring rule has it: were they to read exclusive ones,
  every combination of tasks would pay for all.
- The share that stays apart is the same in all layers, or the groups are exactly as large as PAM's
  (``sizes: pam``). What PAM removes then goes by joining clusters, the best first; a shared unit
  may be one that was not joined.
- The fit is a ridge regression on the merged network's own activations, the bias free.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from pam.data import MultitaskDataset
from pam.errors import ConfigError, ShapeError
from pam.merging import Forecast, input_rows, merge, register, sample_index, second_moments
from pam.merging import retrain as train_lightly
from pam.networks import (
    IMAGE,
    Architecture,
    Assembly,
    Group,
    GroupedNetwork,
    SingleTaskNetwork,
)
from pam.ranges import Positive, Samples, ScheduleSettings, Share

BATCH_SIZE = 16

Units = list[tuple[Group, list[int]]]
"""The units of a merged layer: group, and the units of the separate networks that it is made of."""


def _forecast(options: Mapping[str, Any], architecture: Architecture) -> Forecast:
    return Forecast("zipped", "all_shared" if options.get("sizes") == "pam" else "side_by_side")


@register(
    "match",
    title="matched",
    paper="Nasery et al., CVPR 2025",
    order=6,
    options_of="pam",
    least_tasks=2,
    forecast=_forecast,
)
def match(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    sizes: Literal["share", "pam"] = "share",
    separate: Share = 0.5,
    ridge: Positive = 1e-3,
    samples: Samples = 512,
    retrain: ScheduleSettings | None = None,
    **of_pam: Any,
) -> GroupedNetwork:
    """Share the units that are most alike, keep the others apart, fit weights, retrain lightly.

    Args:
        networks: task -> trained network, all of the same widths; layers follow one another.
        data: ``train`` gives activations and the retraining.
        seed: of the choice of images, of PAM and of the retraining.
        sizes: ``"share"`` for a share of every layer, ``"pam"`` for groups as large as PAM's:
            then whatever PAM gains beyond this merger it gains by its criterion.
        separate: share of a network's units in a layer that stay its own, in [0, 1]; does not
            count with ``sizes: pam``.
        ridge: weight of the squared weights in the fit, relative to the mean square of an input.
        samples: training images to look at; the default is all if there are fewer.
        retrain: schedule of the light retraining.
        **of_pam: with ``sizes: pam`` every other option of the merger ``pam`` but ``partial``.

    Raises:
        ConfigError: for options of PAM that do not count, or an architecture with branches or
            batch normalisation.
        DataError: if an activation is NaN or infinite.
        ShapeError: if the networks differ in width.
    """
    architecture = next(iter(networks.values())).architecture
    if not architecture.is_chain or architecture.norms:
        raise ConfigError(
            "match needs layers that follow one another, without batch normalisation; those of "
            f"'{architecture.name}' do not"
        )
    assembly = Assembly.unite([Assembly.of(network) for network in networks.values()])
    apart = assembly.network()
    if any(len(set(apart.widths[layer].values())) > 1 for layer in apart.hidden_layers):
        raise ShapeError("match: the networks differ in width, so units are left without partner")
    if sizes == "pam":
        wanted = _sizes_of_pam(networks, data, seed, samples, retrain, of_pam)
    elif of_pam:
        raise ConfigError(f"match: option '{next(iter(of_pam))}' counts only with 'sizes: pam'")
    else:
        wanted = {layer: shares(apart.widths[layer], separate) for layer in apart.hidden_layers}
    images = data.train.images[sample_index(data, samples, seed).to(data.train.images.device)]
    units: dict[str, Units] = {}
    for layer, (_, products) in second_moments(apart, data, images).items():
        clusters, distances = matched(products, len(networks))
        units[layer] = dealt(clusters, distances, list(networks), wanted[layer])
        assembly = assembly.join(layer, [members for _, members in units[layer]])
        groups = {**assembly.groups, layer: [group for group, _ in units[layer]]}
        assembly = replace(assembly, groups=groups)
    outputs = assembly.groups[architecture.output]
    units[architecture.output] = [(group, [place]) for place, group in enumerate(outputs)]
    network = assembly.network()
    fit_weights(network, apart, units, data, images, ridge)
    return train_lightly(network, data, retrain, seed, "retrain match")


def _sizes_of_pam(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    seed: int,
    samples: int,
    retrain: ScheduleSettings | None,
    of_pam: Mapping[str, Any],
) -> dict[str, dict[Group, int]]:
    """Return the widths that PAM comes to."""
    if of_pam.get("partial"):
        raise ConfigError("match: option 'partial' makes groups of some tasks, which it cannot")
    # Retraining between its layers is part of PAM's search, afterwards it decides no group.
    schedule = retrain if of_pam.get("layerwise") else {"stages": []}
    samples = min(samples, len(data.train))
    options = {**of_pam, "samples": samples, "retrain": schedule}
    return merge(networks, "pam", data, seed=seed, **options).widths


def shares(widths: Mapping[Group, int], separate: float) -> dict[Group, int]:
    """Return the sizes of a layer's groups when a share of every network's units stays apart."""
    (units,) = set(widths.values())
    alone = round(separate * units)
    return {**dict.fromkeys(widths, alone), frozenset().union(*widths): units - alone}


def matched(products: Tensor, networks: int) -> tuple[list[list[int]], list[float]]:
    """Return clusters of one unit of every network, and the sum of the distances in each.

    Args:
        products: mean product of every two units' activations, (units, units), the networks'
            units one after the other, equally many each.
        networks: how many there are.
    """
    count = len(products) // networks
    squares = products.diagonal()
    distance = squares[:, None] + squares[None, :] - 2 * products
    clusters = [[unit] for unit in range(count)]
    sums = [0.0] * count
    for first in range(count, len(products), count):
        between = distance[:count, first : first + count]
        for unit, partner in zip(*linear_sum_assignment(between.numpy()), strict=True):
            clusters[unit].append(first + int(partner))
            sums[unit] += float(between[unit, partner])
    return clusters, sums


def dealt(
    clusters: Sequence[Sequence[int]],
    distances: Sequence[float],
    tasks: Sequence[str],
    sizes: Mapping[Group, int],
) -> Units:
    """Return the units of a merged layer, in groups of exactly the sizes wanted.

    The units of the worst clusters become exclusive. The others are shared: as many are joined as
    there are too many, within the best clusters first, and what even joining leaves is removed.

    Args:
        clusters: of one unit per task, in the order of ``tasks``.
        distances: within the clusters.
        tasks: all of them.
        sizes: group of one or of all tasks -> units, no more in all than there are.
    """
    best_first = sorted(range(len(clusters)), key=lambda cluster: distances[cluster])
    free = {unit for cluster in clusters for unit in cluster}
    alone: dict[str, list[int]] = {task: [] for task in tasks}
    for own in (True, False):  # A task's own units first; PAM may give it more than those.
        for place, task in enumerate(tasks):
            worst_first = [
                unit
                for cluster in reversed(best_first)
                for side, unit in enumerate(clusters[cluster])
                if (side == place) is own and unit in free
            ]
            missing = sizes.get(frozenset([task]), 0) - len(alone[task])
            alone[task] += worst_first[:missing]
            free -= set(alone[task])
    shared: list[list[int]] = []
    surplus = len(free) - sizes.get(frozenset(tasks), 0)
    for cluster in best_first:
        members = [unit for unit in clusters[cluster] if unit in free]
        joined = min(surplus, max(len(members) - 1, 0))
        surplus -= joined
        shared += [members[: joined + 1], *([unit] for unit in members[joined + 1 :])]
    shared = [members for members in shared if members]
    shared = shared[: len(shared) - surplus]
    exclusive = [(frozenset([task]), [unit]) for task in tasks for unit in sorted(alone[task])]
    return [*exclusive, *((frozenset(tasks), members) for members in shared)]


def fit_weights(
    network: GroupedNetwork,
    apart: GroupedNetwork,
    units: Mapping[str, Units],
    data: MultitaskDataset,
    images: Tensor,
    ridge: float,
) -> None:
    """Set all weights, in place and layer by layer, to the ridge regression of what units did.

    Args:
        network: the merged network, whose layers before give the inputs.
        apart: the networks side by side, whose pre-activations a unit is to have: the mean of
            those of its members.
        units: layer, that of outputs included -> its units, in the order of groups.
        data: gives the normalisation.
        images: uint8 (samples, channels, height, width).
        ridge: see :func:`solve_ridge`.
    """
    for node in network.architecture.weighted.values():
        sums: dict[Group, tuple[Tensor, Tensor]] = {}
        for some in images.split(BATCH_SIZE):
            batch = data.normalise(some)
            wanted = torch.cat(list(_stream(apart, node.name, batch).values()), dim=1)
            wanted = wanted.flatten(2) if wanted.ndim > 2 else wanted[..., None]
            read = _stream(network, node.sources[0], batch)
            for group in network.widths[node.layer]:
                inputs = torch.cat([read[g] for g in network.sources(node, group)], dim=1)
                rows = input_rows(node, inputs)
                members = [joined for one, joined in units[node.layer] if one == group]
                means = [wanted[:, joined].mean(dim=1) for joined in members]
                targets = torch.stack(means, dim=-1).flatten(0, 1).double()
                gram, cross = sums.get(group, (0, 0))
                sums[group] = gram + rows.T @ rows, cross + rows.T @ targets
        with torch.no_grad():
            for group, (gram, cross) in sums.items():
                solution = solve_ridge(gram, cross, ridge).T
                block = network.blocks[node.name][network.block_name(group)]
                block.weight.copy_(solution[:, :-1].reshape(block.weight.shape))
                block.bias.copy_(solution[:, -1])


def _stream(network: GroupedNetwork, node: str, images: Tensor) -> dict[Group, Tensor]:
    """Return what a node puts out, group by group."""
    if node == IMAGE:
        return {frozenset(network.tasks): images}
    stream: dict[Group, Tensor] = {}
    with torch.inference_mode():
        network(images, observe=lambda name, g, x: stream.update({g: x} if name == node else {}))
    return stream


def solve_ridge(gram: Tensor, cross: Tensor, ridge: float) -> Tensor:
    """Return the weights of least squared error plus ``ridge`` x mean square input x their square.

    Args:
        gram: products of inputs, summed over samples, the last input a constant 1 whose weight is
            not punished, float64 (inputs + 1, inputs + 1).
        cross: products of inputs and targets, float64 (inputs + 1, targets).
        ridge: positive.

    Returns:
        float64 (inputs + 1, targets).
    """
    squares = gram.diagonal()[:-1].mean()
    # Without any input that moves, every positive number gives weights of 0.
    punished = torch.full_like(gram.diagonal(), ridge * float(squares) or 1.0)
    punished[-1] = 0.0
    return torch.linalg.solve(gram + punished.diag(), cross)
