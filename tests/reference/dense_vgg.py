"""A VGG-16 with full weight matrices: no groups, no wiring, only zeros where no wire may be."""

import torch
from torch.nn import functional as F

CONVOLUTIONS = (2, 2, 3, 3, 3)


def dense_vgg_scores(assembly, images):
    """Return the scores of all tasks side by side, in the order of the output units."""
    x = images
    for block, depth in enumerate(CONVOLUTIONS, start=1):
        for index in range(1, depth + 1):
            layer = f"c{block}_{index}"
            weight = assembly.weights[layer]
            kernel = weight.reshape(*weight.shape[:2], 3, 3)
            x = F.relu(F.conv2d(x, kernel, assembly.biases[layer], padding=1))
        x = F.max_pool2d(x, 2)
    x = x.flatten(1)
    for layer in ("f6", "f7"):
        x = F.relu(F.linear(x, assembly.weights[layer].flatten(1), assembly.biases[layer]))
    return torch.tanh(F.linear(x, assembly.weights["f8"].flatten(1), assembly.biases["f8"]))
