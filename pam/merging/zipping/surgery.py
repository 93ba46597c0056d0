"""Surgery on the weights of units that are zipped: read them, write the compromise, join units.

He, Zhou, Wang and Thiele's extension of Multi-Task Zipping to residual networks folds the running
statistics and the affine map of a batch normalisation into the convolution before it. Pairs and
compromises are those of the folded weights; shared units get a new normalisation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from pam.merging.zipping.hessian import Hessian
from pam.networks import Assembly, Group
from pam.networks.architecture import Weighted

EPSILON = nn.BatchNorm2d(1).eps
"""What batch normalisation adds to a variance."""


def folded_weights(
    assembly: Assembly, node: Weighted, units: list[int], inputs: list[int]
) -> Tensor:
    """Return the weights of some units from some inputs, and their bias, as evaluation uses them.

    With batch normalisation after the node these are ``w gamma / sigma`` and
    ``beta - gamma mean / sigma``, where ``sigma^2 = variance + EPSILON``.

    Args:
        assembly: holds the node.
        node: whose weights are meant.
        units: positions in the node's layer.
        inputs: positions in the layer that it reads.

    Returns:
        float64 (units, inputs * taps + 1), the bias last.
    """
    weights = assembly.weights[node.name][torch.tensor(units)[:, None], torch.tensor(inputs)]
    weights = weights.flatten(1).double()
    norm = assembly.architecture.norm_after.get(node.name)
    if norm is None:
        bias = assembly.biases[node.name][units].double()
    else:
        gamma, beta, mean, variance = assembly.norms[norm][:, units].double()
        scale = gamma / (variance + EPSILON).sqrt()
        weights, bias = weights * scale[:, None], beta - mean * scale
    return torch.cat([weights, bias[:, None]], dim=1)


def neutral_norm(folded: Tensor, moment: Hessian) -> Tensor:
    """Return the batch normalisation under which a convolution computes its folded weights.

    Its running statistics are the mean and the variance that the convolution puts out, by the
    second moment of its inputs; its affine map takes them out again. So evaluation computes exactly
    ``folded``, and training starts from the same function.

    Args:
        folded: float64 (units, inputs + 1); the convolution has all but the last column.
        moment: Hessian of weight 1 of the inputs, the constant 1 last.

    Returns:
        float64 (4, units): weight, bias, running mean and running variance.
    """
    constant = moment.factor[:, -1]
    seen = moment.factor[:, :-1] @ folded[:, :-1].T
    mean = constant @ seen
    variance = (seen - torch.outer(constant, mean)).square().sum(0)
    return torch.stack([(variance + EPSILON).sqrt(), folded[:, -1] + mean, mean, variance])


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
    kernels = rows[:, :-1].reshape(len(units), len(inputs), -1).to(weight.dtype)
    weight[torch.tensor(units)[:, None], torch.tensor(inputs)] = kernels
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
