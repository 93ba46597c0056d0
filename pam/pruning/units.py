"""Per-unit values of a grouped network, and the physical removal of units."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from pam.networks import Assembly, Group, GroupedNetwork
from pam.networks.architecture import IMAGE

Key = tuple[str, Group]
PerUnit = dict[Key, Tensor]


def unit_keys(network: GroupedNetwork) -> Iterator[tuple[Key, int]]:
    """Yield ((hidden layer, group), number of units) in canonical order."""
    for layer in network.hidden_layers:
        for group, units in network.widths[layer].items():
            yield (layer, group), units


def spared_groups(network: GroupedNetwork, prune_groups: str) -> set[Group]:
    """Return the groups that an option ``prune_groups`` leaves alone.

    Args:
        network: whose groups are meant.
        prune_groups: ``"all"`` spares none, ``"shared"`` those of one of several tasks, as in
            the PAM authors' later runs. A network of a single task is always pruned whole.
    """
    if prune_groups == "all" or len(network.tasks) == 1:
        return set()
    return {group for groups in network.widths.values() for group in groups if len(group) == 1}


def per_channel(values: Tensor, tensor: Tensor) -> Tensor:
    """Shape values, (units,) or (samples, units), to scale a tensor (samples, units, ...).

    Of a flattened map, (samples, units * positions), every position of a unit gets its value.
    """
    if tensor.ndim == 2 and tensor.shape[1] != values.shape[-1]:
        values = values.repeat_interleave(tensor.shape[1] // values.shape[-1], dim=-1)
    return values.reshape(*values.shape, *[1] * (tensor.ndim - 2))


def connected(network: GroupedNetwork, keep: PerUnit, scores: PerUnit) -> PerUnit:
    """Return ``keep`` changed so that what is left is connected and nothing in it is dead.

    From the outputs back to the image: a group that nothing left reads is dropped, and where a
    group that is left would read nothing, the best-scored unit it could read is kept.

    Args:
        network: whose units are judged.
        keep: bool (units,) per layer and group.
        scores: float (units,) per layer and group; ties go to the lowest index.
    """
    kept = {key: mask.clone() for key, mask in keep.items()}
    architecture = network.architecture
    wanted: dict[str, set[Group]] = {layer: set() for layer in network.layers}
    wanted[architecture.output] = set(network.widths[architecture.output])
    before = -1
    # A chain settles in one pass; a residual stage is read by nodes that write back into it.
    while before != (before := sum(map(len, wanted.values()))):
        for node in reversed(architecture.weighted.values()):
            layer = architecture.source_layer(node)
            if layer == IMAGE:
                continue
            for reader in [g for g in network.widths[node.layer] if g in wanted[node.layer]]:
                sources = [(layer, group) for group in network.sources(node, reader)]
                if not any(bool(kept[key].any()) for key in sources):
                    best = max(sources, key=lambda key: float(scores[key].max()))
                    kept[best][int(scores[best].argmax())] = True
                wanted[layer] |= {group for _, group in sources if bool(kept[layer, group].any())}
    for layer, group in kept:
        if group not in wanted[layer]:
            kept[layer, group][:] = False
    return kept


def remove(network: GroupedNetwork, keep: Mapping[Key, Tensor]) -> GroupedNetwork:
    """Return a new network that holds the kept units and nothing else.

    Args:
        network: is left as it was.
        keep: bool (units,) per hidden layer and group.

    Raises:
        CollapseError: if a group that is left would read nothing.
    """
    assembly = Assembly.of(network)
    for layer in network.hidden_layers:
        mask = torch.cat([keep[layer, group] for group in network.widths[layer]])
        assembly = assembly.take(layer, mask.nonzero().flatten().cpu())
    return assembly.network()


def scale(network: GroupedNetwork, factors: Mapping[Key, Tensor]) -> GroupedNetwork:
    """Return a network whose hidden units are multiplied by factors, folded into its weights.

    Exact through ReLU and max-pooling because the factors are not negative:
    ``f * relu(w x + b) = relu(f w x + f b)``. Where batch normalisation follows, its weight and
    bias take the factor.

    Args:
        network: is left as it was.
        factors: float (units,), >= 0, per hidden layer and group.
    """
    assembly = Assembly.of(network)
    architecture = network.architecture
    for node in architecture.weighted.values():
        if node.layer != architecture.output:
            rows = [factors[node.layer, group] for group in network.widths[node.layer]]
            factor = torch.cat(rows).detach()
            if node.name in architecture.norm_after:
                assembly.norms[architecture.norm_after[node.name]][:2].mul_(factor)
            else:
                assembly.weights[node.name].mul_(factor[:, None, None])
                assembly.biases[node.name].mul_(factor)
    return assembly.network()
