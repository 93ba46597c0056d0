"""Sub-networks as plain weights (safetensors) and the steps that compute with them.

A step is ``{"name": ..., "call": ..., "arguments": [...], "options": {...}}``: the call of one
function of torch by its name. A text among the arguments names what an earlier step made, or a
weight; what is no text stands for itself. The images are called ``images``, and the last step has
no call: it names the scores of every task.
"""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from pam.deploy.exported import IMAGES, About, Model, torch_model
from pam.errors import DataError
from pam.files import META_KEY, read_tensors

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork

STEPS = "pam.steps"

Step = dict[str, Any]

CALLS: Mapping[str, Callable[..., Tensor]] = {
    "adaptive_avg_pool2d": F.adaptive_avg_pool2d,
    "add": torch.add,
    "batch_norm": F.batch_norm,
    "cat": torch.cat,
    "conv2d": F.conv2d,
    "flatten": torch.flatten,
    "linear": F.linear,
    "max_pool2d": F.max_pool2d,
    "relu": F.relu,
    "tanh": torch.tanh,
}
"""The calls that steps may name: found in torch.nn.functional, or else in torch."""

_NAMES = {function: name for name, function in CALLS.items()} | {operator.add: "add"}
# Of the weights of a convolution over images.
_CONVOLUTION_NDIM = 4


def packer(
    network: "GroupedNetwork", tasks: Sequence[str]
) -> Callable[[Sequence[str], About], bytes]:
    """Return what makes the file of any combination of some tasks: (combination, about) -> bytes.

    The tensors are the ``state_dict`` of the sub-network, under the same names.
    """
    from safetensors.torch import save

    def pack(combination: Sequence[str], about: About) -> bytes:
        subnetwork = network.subnetwork(combination).eval()
        weights = {name: t.contiguous() for name, t in subnetwork.state_dict().items()}
        entries = about.entries() | {STEPS: steps_of(subnetwork)}
        return save(weights, {META_KEY: json.dumps(entries)})

    return pack


def open_file(path: Path, threads: int) -> Model:
    """Open a file of :func:`packer`; torch decides on the number of threads."""
    weights, entries = read_tensors(path)
    about = About.of_entries(entries if isinstance(entries, dict) else {}, path)
    try:
        module = Stepwise(weights, entries[STEPS])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} does not say how its weights are used: {error!r}") from error
    return torch_model(module, about, "safetensors")


def steps_of(subnetwork: fx.GraphModule) -> list[Step]:
    """Return the steps of a module that :meth:`GroupedNetwork.subnetwork` made."""
    return [_step(node, subnetwork) for node in subnetwork.graph.nodes if node.op != "placeholder"]


def _step(node: fx.Node, subnetwork: fx.GraphModule) -> Step:
    if node.op == "output":
        return {"scores": fx.node.map_arg(node.args[0], lambda made: made.name)}
    if node.op == "call_module":
        module = subnetwork.get_submodule(str(node.target))
        call, weights, options = _of_module(module)
        known = module.state_dict()
        own = [f"{node.target}.{name}" if name in known else None for name in weights]
    else:
        call, own, options = _NAMES[node.target], [], dict(node.kwargs)
    arguments = [*fx.node.map_arg(list(node.args), lambda made: made.name), *own]
    return {"name": node.name, "call": call, "arguments": arguments, "options": options}


def _of_module(module: nn.Module) -> tuple[str, list[str], dict[str, Any]]:
    """Return call, names of the weights in the order of its arguments, and options."""
    match module:
        case nn.Conv2d():
            shape = {"stride": list(module.stride), "padding": list(module.padding)}
            return "conv2d", ["weight", "bias"], shape
        case nn.Linear():
            return "linear", ["weight", "bias"], {}
        case nn.BatchNorm2d():
            weights = ["running_mean", "running_var", "weight", "bias"]
            return "batch_norm", weights, {"eps": module.eps}
        case nn.AdaptiveAvgPool2d():
            return "adaptive_avg_pool2d", [], {"output_size": module.output_size}
    raise TypeError(f"no step computes {module!r}")


class Stepwise(nn.Module):
    """A module that does steps one after another."""

    def __init__(self, weights: Mapping[str, Tensor], steps: Sequence[Step]) -> None:
        super().__init__()
        # As the networks of this project hold them: convolutions are faster that way.
        self._weights = {
            name: tensor.contiguous(memory_format=torch.channels_last)
            if tensor.ndim == _CONVOLUTION_NDIM
            else tensor
            for name, tensor in weights.items()
        }
        *calls, last = steps
        for step in calls:
            if step["call"] not in CALLS:
                raise ValueError(f"unknown call '{step['call']}'")
        self._steps = [
            (step["name"], CALLS[step["call"]], step["arguments"], step["options"])
            for step in calls
        ]
        self._scores = dict(last["scores"])

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return task -> scores of normalised images."""
        values = {IMAGES: images, **self._weights}
        for name, function, arguments, options in self._steps:
            values[name] = function(*_looked_up(arguments, values), **options)
        return {task: values[name] for task, name in self._scores.items()}


def _looked_up(argument: Any, values: Mapping[str, Tensor]) -> Any:
    if isinstance(argument, list):
        return [_looked_up(one, values) for one in argument]
    return values[argument] if isinstance(argument, str) else argument
