"""New single-task networks."""

from typing import Any

import torch

from pam.errors import ConfigError
from pam.networks.grouped import SingleTaskNetwork
from pam.networks.pretrained import load_imagenet
from pam.networks.registry import architecture


def build(
    name: str,
    input_shape: tuple[int, int, int],
    n_outputs: int,
    *,
    task: str = "A",
    seed: int = 0,
    pretrained: str | None = None,
    **options: Any,
) -> SingleTaskNetwork:
    """Return a freshly initialised single-task network.

    Weights are drawn from N(0, gain / fan_in) with the gain of the architecture, biases are
    zero, batch normalisations the identity.

    Args:
        name: registered architecture, e.g. ``"lenet5"``.
        input_shape: (channels, height, width).
        n_outputs: labels of the task.
        task: name of the task.
        seed: seed of the initial weights.
        pretrained: ``"imagenet"`` for torchvision's weights in all convolutions, from a file on
            disk (see :func:`pam.networks.pretrained.load_imagenet`); None for none.
        **options: of the architecture.

    Raises:
        ConfigError: for an unknown name or option, or no outputs.
        DataError: if the file of pretrained weights is missing or damaged.
        ShapeError: for an impossible input shape.
    """
    if int(n_outputs) != n_outputs or n_outputs < 1:
        raise ConfigError(f"a task needs at least one output, not {n_outputs!r}")
    if pretrained not in (None, "imagenet"):
        raise ConfigError(f"pretrained weights are 'imagenet' or none, not {pretrained!r}")
    design = architecture(name, input_shape, **options)
    group = frozenset([task])
    widths = {layer: {group: units} for layer, units in design.units.items()}
    network = SingleTaskNetwork(design, {task: int(n_outputs)}, widths)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for node in design.weighted:
            for kind, parameter in network.blocks[node].named_parameters():
                if kind.endswith(".weight"):
                    deviation = design.gain**0.5 * parameter[0].numel() ** -0.5
                    drawn = torch.randn(parameter.shape, generator=generator)
                    parameter.copy_(drawn * deviation)
                else:
                    parameter.zero_()
    if pretrained is not None:
        load_imagenet(network)
    return network
