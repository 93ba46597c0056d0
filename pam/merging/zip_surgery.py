"""Surgery for zipping: the compromise takes the place of one task's units, then all are joined."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pam.merging.hessian import Hessian
from pam.merging.zip_folding import neutral_norm
from pam.networks import Assembly, Group
from pam.networks.architecture import Weighted


def with_rows(
    assembly: Assembly,
    node: Weighted,
    units: Sequence[int],
    inputs: Sequence[int],
    rows: Tensor,
    moment: Hessian,
) -> Assembly:
    """Return the assembly with new weights for some units, which then read some inputs only.

    Args:
        assembly: is left as it was.
        node: whose weights are replaced, and the bias or the batch normalisation that follows.
        units: positions in the node's layer.
        inputs: positions in the layer that it reads.
        rows: float64 (units, inputs * taps + 1), the bias last.
        moment: Hessian of weight 1 of those inputs.
    """
    weights, biases, norms = dict(assembly.weights), dict(assembly.biases), dict(assembly.norms)
    weight = weights[node.name].clone()
    weight[units] = 0
    made = rows[:, :-1].reshape(len(units), len(inputs), -1).to(weight.dtype)
    weight[torch.tensor(units)[:, None], torch.tensor(inputs)] = made
    weights[node.name] = weight
    norm = assembly.architecture.norm_after.get(node.name)
    if norm is None:
        biases[node.name] = biases[node.name].clone()
        biases[node.name][units] = rows[:, -1].to(weight.dtype)
    else:
        norms[norm] = norms[norm].clone()
        norms[norm][:, units] = neutral_norm(rows, moment).to(weight.dtype)
    return replace(assembly, weights=weights, biases=biases, norms=norms)


def with_joined(assembly: Assembly, layer: str, members: Mapping[str, Sequence[int]]) -> Assembly:
    """Return the assembly with units of a layer joined across tasks, and put before the others.

    A joined unit is the first task's unit; what read a member reads it with unchanged weights.

    Args:
        assembly: is left as it was.
        layer: whose units are joined.
        members: task -> positions in the layer of its units, one per joined unit.
    """
    joined = torch.tensor(list(members.values())).T
    gone = set(joined.flatten().tolist())
    kept = [unit for unit in range(len(assembly.groups[layer])) if unit not in gone]
    rows = [*joined[:, 0].tolist(), *kept]
    weights, biases, norms = dict(assembly.weights), dict(assembly.biases), dict(assembly.norms)
    for node in assembly.nodes_making(layer):
        weights[node.name] = weights[node.name][rows]
        if node.bias:
            biases[node.name] = biases[node.name][rows]
    for name in assembly.norms_of(layer):
        norms[name] = norms[name][:, rows]
    for node in assembly.nodes_reading(layer):
        # No unit reads two tasks' units yet, so the columns of a pair never overlap.
        old = weights[node.name]
        weights[node.name] = torch.cat([old[:, joined].sum(dim=2), old[:, kept]], dim=1)
    everyone: Group = frozenset(assembly.tasks)
    labels = [everyone] * len(joined) + [assembly.groups[layer][unit] for unit in kept]
    groups = {**assembly.groups, layer: labels}
    return replace(assembly, groups=groups, weights=weights, biases=biases, norms=norms)
