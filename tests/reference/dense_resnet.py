"""A residual network written out with full weight matrices: no groups, no wiring, no nodes.

Weights that the wiring rule forbids are zeros of the full convolution; every unit is normalised on
its own by its textbook formula.
"""

import torch
from torch.nn import functional as F

DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


def dense_resnet_scores(assembly, images, factors=None):
    """Return the scores of all tasks side by side, in the order of the output units.

    ``factors`` maps a layer to a tensor (units,) that multiplies its units behind every batch
    normalisation.
    """
    made = assembly.architecture

    def convolve(name, layer, x, kernel, stride):
        weight = assembly.weights[name]
        weight = weight.reshape(*weight.shape[:2], kernel, kernel)
        x = F.conv2d(x, weight, None, stride, padding=kernel // 2)
        gain, bias, mean, variance = assembly.norms[f"{name}_norm"][..., None, None]
        x = (x - mean) / torch.sqrt(variance + 1e-5) * gain + bias
        if factors is not None:
            x = x * factors[layer][:, None, None]
        return x

    if made.options["stem"] == "imagenet":
        x = F.relu(convolve("s1_stem", "s1", images, kernel=7, stride=2))
        x = F.max_pool2d(x, 3, 2, 1)
    else:
        x = F.relu(convolve("s1_stem", "s1", images, kernel=3, stride=1))
    for stage, depth in enumerate(DEPTHS[made.name], start=1):
        for block in range(1, depth + 1):
            name, trunk = f"s{stage}_{block}", f"s{stage}"
            kept, stride = x, 1
            if stage > 1 and block == 1:
                stride = 2
                kept = convolve(f"{name}_shortcut", trunk, x, kernel=1, stride=2)
            inner = F.relu(convolve(f"{name}_a", name, x, kernel=3, stride=stride))
            x = F.relu(kept + convolve(f"{name}_b", trunk, inner, kernel=3, stride=1))
    x = x.mean((2, 3))
    return torch.tanh(F.linear(x, assembly.weights["fc"].flatten(1), assembly.biases["fc"]))
