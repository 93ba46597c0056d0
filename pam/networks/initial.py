"""New single-task networks: weights drawn at random, of a trained network, or of a file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pam.errors import ConfigError, DataError, ShapeError
from pam.files import file_hash
from pam.networks.architecture import Architecture
from pam.networks.grouped import GroupedNetwork, SingleTaskNetwork
from pam.networks.registry import architecture
from pam.torchvision_shim import torchvision


def build(
    name: str,
    input_shape: tuple[int, int, int],
    n_outputs: int,
    *,
    task: str = "A",
    seed: int = 0,
    pretrained: SingleTaskNetwork | str | None = None,
    **options: Any,
) -> SingleTaskNetwork:
    """Return a freshly initialised single-task network; see :func:`draw_weights`.

    Args:
        name: registered architecture, e.g. ``"lenet5"``.
        input_shape: (channels, height, width).
        n_outputs: labels of the task.
        task: name of the task.
        seed: seed of the initial weights.
        pretrained: what all layers but the output start from instead: a trained network of the
            same architecture, or ``"imagenet"`` for torchvision's weights in all convolutions,
            from a file on disk (see :func:`load_imagenet`); None for random weights.
        **options: of the architecture.

    Raises:
        ConfigError: for an unknown name or option, or no outputs.
        DataError: if the file of pretrained weights is missing or damaged.
        ShapeError: for an impossible input shape, or a trained network of another architecture.
    """
    if int(n_outputs) != n_outputs or n_outputs < 1:
        raise ConfigError(f"a task needs at least one output, not {n_outputs!r}")
    trunk = pretrained if isinstance(pretrained, SingleTaskNetwork) else None
    if not trunk and pretrained not in (None, "imagenet"):
        raise ConfigError(
            f"pretrained weights are 'imagenet', a network's or none, not {pretrained!r}"
        )
    design = architecture(name, input_shape, **options)
    group = frozenset([task])
    widths = {layer: {group: units} for layer, units in design.units.items()}
    network = SingleTaskNetwork(design, {task: int(n_outputs)}, widths)
    draw_weights(network, seed)
    if trunk:
        _copy_hidden(trunk, network)
    elif pretrained is not None:
        load_imagenet(network)
    return network


def _copy_hidden(trunk: SingleTaskNetwork, network: SingleTaskNetwork) -> None:
    """Copy all layers of one network but its output layer into another one, in place."""
    one, other = (each.describe()["architecture"] for each in (trunk, network))
    if one != other:
        raise ShapeError(f"a network cannot start from one of another architecture: {one}, {other}")
    theirs, mine = (each.block_name(frozenset([each.task])) for each in (trunk, network))
    for node, blocks in network.blocks.items():
        if node != network.architecture.output:
            blocks[mine].load_state_dict(trunk.blocks[node][theirs].state_dict())


def draw_weights(network: GroupedNetwork, seed: int) -> None:
    """Give a new network initial weights, in place; its batch normalisations are the identity.

    Weights are drawn from N(0, gain / fan_in) with the gain of the architecture, the fan-in being
    what a group reads; biases are zero.

    Args:
        network: as its constructor leaves it.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    design = network.architecture
    with torch.no_grad():
        for node in design.weighted:
            for kind, parameter in network.blocks[node].named_parameters():
                if kind.endswith(".weight"):
                    deviation = design.gain**0.5 * parameter[0].numel() ** -0.5
                    drawn = torch.randn(parameter.shape, generator=generator)
                    parameter.copy_(drawn * deviation)
                else:
                    parameter.zero_()


CHANNELS = 3
_NORM = ("weight", "bias", "running_mean", "running_var")


def load_imagenet(network: SingleTaskNetwork, folder: str | Path | None = None) -> None:
    """Copy torchvision's ImageNet weights into a network, in place; nothing is downloaded.

    ``vgg16`` gets its thirteen convolutions, ``resnet18`` and ``resnet34`` all convolutions and
    batch normalisations with their running statistics. Fully connected layers stay as they are:
    the tasks are others. The weights are those of torchvision's ``IMAGENET1K_V1``; they were
    trained on images normalised per channel, as :mod:`pam.data` normalises them.

    Args:
        network: of full width, not pruned; left as it was if an error is raised.
        folder: where torchvision's file lies; by default where torch keeps downloads,
            ``torch.hub.get_dir()/checkpoints``.

    Raises:
        ConfigError: if torchvision has no such weights: another architecture, width or stem, or
            images that do not have three channels.
        DataError: if the file is missing, damaged or holds other tensors.
    """
    names = _torchvision_names(network)
    weights, url = _published(network.architecture.name)
    place = Path(torch.hub.get_dir(), "checkpoints") if folder is None else Path(folder)
    path = place / url.rsplit("/", 1)[-1]
    if not path.is_file():
        raise DataError(
            f"{path} does not exist: fetch torchvision's {weights} from {url} into {place}"
        )
    published = _read(path)
    state = network.state_dict()
    for name, theirs in names.items():
        tensor = published.get(theirs)
        if not isinstance(tensor, Tensor) or tensor.shape != state[name].shape:
            raise DataError(
                f"{path} holds no tensor '{theirs}' of shape {tuple(state[name].shape)}; "
                f"is it torchvision's {weights}?"
            )
        if not bool(tensor.isfinite().all()):
            raise DataError(f"{path} is damaged: tensor '{theirs}' holds NaN or infinity")
    with torch.no_grad():
        for name, theirs in names.items():
            state[name].copy_(published[theirs])


def _torchvision_names(network: SingleTaskNetwork) -> dict[str, str]:
    """Return tensor of the network -> torchvision's name for it, if torchvision has them all."""
    architecture = network.architecture
    if architecture.name not in _BLOCKS:
        raise ConfigError(
            f"there are no ImageNet weights for '{architecture.name}', only for "
            f"{', '.join(_BLOCKS)}"
        )
    units = {layer: sum(network.widths[layer].values()) for layer in network.hidden_layers}
    if architecture.options["width"] != 1 or units != architecture.units:
        raise ConfigError(
            f"ImageNet weights need a '{architecture.name}' of width 1 that is not pruned, not of "
            f"width {architecture.options['width']}"
        )
    if architecture.options.get("stem", "imagenet") != "imagenet":
        raise ConfigError(
            f"ImageNet weights need a '{architecture.name}' with stem 'imagenet', not "
            f"'{architecture.options['stem']}'"
        )
    if architecture.input_shape[0] != CHANNELS:
        raise ConfigError(
            f"ImageNet weights need images of {CHANNELS} channels, not "
            f"{architecture.input_shape[0]}"
        )
    group = network.block_name(frozenset([network.task]))
    return {
        f"blocks.{node}.{group}.{kind}": f"{theirs}.{kind}"
        for node, theirs in _BLOCKS[architecture.name](architecture)
        for kind in (_NORM if node in architecture.norms else ("weight", "bias"))
        if f"blocks.{node}.{group}.{kind}" in network.state_dict()
    }


def _vgg_blocks(architecture: Architecture) -> Iterator[tuple[str, str]]:
    """Yield (convolution, torchvision's name): its list counts ReLUs and poolings too."""
    layers = [layer for layer in architecture.hidden_layers if architecture.kind(layer) == "conv"]
    index = 0
    for layer, following in zip(layers, [*layers[1:], ""], strict=True):
        yield layer, f"features.{index}"
        pooled = layer.split("_")[0] != following.split("_")[0]
        index += 3 if pooled else 2


def _resnet_blocks(architecture: Architecture) -> Iterator[tuple[str, str]]:
    """Yield (convolution or batch normalisation, torchvision's name)."""
    yield from (("s1_stem", "conv1"), ("s1_stem_norm", "bn1"))
    for node in architecture.weighted:
        if node in ("s1_stem", architecture.output):
            continue
        stage, block, part = node.removeprefix("s").split("_")
        place = f"layer{stage}.{int(block) - 1}"
        conv, norm = {
            "a": ("conv1", "bn1"),
            "b": ("conv2", "bn2"),
            "shortcut": ("downsample.0", "downsample.1"),
        }[part]
        yield from ((node, f"{place}.{conv}"), (f"{node}_norm", f"{place}.{norm}"))


_BLOCKS: dict[str, Callable[[Architecture], Iterator[tuple[str, str]]]] = {
    "vgg16": _vgg_blocks,
    "resnet18": _resnet_blocks,
    "resnet34": _resnet_blocks,
}


def _published(name: str) -> tuple[str, str]:
    """Return the name of torchvision's weights of an architecture, and their address."""
    weights = torchvision().models.get_model_weights(name)["IMAGENET1K_V1"]
    return str(weights), weights.url


def _read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file of torchvision's, whose name ends with digits of its sha256."""
    expected = path.stem.rsplit("-", 1)[-1]
    actual = file_hash(path)[: len(expected)]
    if actual != expected:
        raise DataError(f"{path} is damaged: its sha256 starts with {actual}, not {expected}")
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader raises whatever damaged bytes lead it to.
        raise DataError(f"{path} is not a file of torch's: {type(error).__name__}") from error
    if not isinstance(tensors, dict):
        raise DataError(f"{path} holds a {type(tensors).__name__}, not named tensors")
    return tensors
