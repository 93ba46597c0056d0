"""A LeNet with full weight matrices: no groups, no wiring, only zeros where no wire may be."""

import torch
from torch.nn import functional as F


def dense_lenet_scores(assembly, images, alive=None):
    """Return the scores of all tasks side by side, in the order of the output units.

    ``alive`` maps a layer to a 0/1 tensor (units,) that its activations are multiplied by.
    """

    def masked(layer, x):
        if alive is None or layer not in alive:
            return x
        return x * alive[layer].view(1, -1, *[1] * (x.ndim - 2))

    x = images
    for layer in ("c1", "c2"):
        weight = assembly.weights[layer]
        kernel = weight.reshape(*weight.shape[:2], 5, 5)
        x = F.conv2d(x, kernel, assembly.biases[layer], padding=2)
        x = F.max_pool2d(masked(layer, F.relu(x)), 2)
    x = x.flatten(1)
    for layer in ("f3", "f4"):
        x = F.linear(x, assembly.weights[layer].flatten(1), assembly.biases[layer])
        x = masked(layer, F.relu(x))
    return torch.tanh(F.linear(x, assembly.weights["f5"].flatten(1), assembly.biases["f5"]))
