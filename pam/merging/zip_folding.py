"""Batch normalisation in zipping: part of the weights that are compared, then taken out again.

He, Zhou, Wang and Thiele's extension of Multi-Task Zipping to residual networks folds the running
statistics and the affine map of a batch normalisation into the convolution before it; pairs and
compromises are those of the folded weights, and the shared units get a new normalisation.
"""

import torch
from torch import Tensor, nn

from pam.merging.hessian import Hessian
from pam.networks import Assembly
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
