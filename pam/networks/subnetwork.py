"""From a grouped network to the plain dense module of one task combination, and to ONNX."""

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from torch import fx

if TYPE_CHECKING:
    from pam.networks.grouped import GroupedNetwork
import contextlib
import io
import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn

from pam.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto


def extract(network: "GroupedNetwork", tasks: Iterable[str]) -> fx.GraphModule:
    """Return the module that runs ``tasks``: only their groups, with a copy of their weights.

    The wiring rule and the loop over groups are unrolled into a straight line, so the result is
    ordinary torch code and needs nothing of this project. Groups that the outputs of ``tasks`` do
    not depend on are left out.
    """
    graph = _unrolled(network, tasks)
    used = [node.target for node in graph.nodes if node.op == "call_module"]
    blocks = {target: copy.deepcopy(network.get_submodule(target)) for target in used}
    return fx.GraphModule(blocks, graph).train(network.training)


def view(network: "GroupedNetwork", tasks: Iterable[str]) -> fx.GraphModule:
    """Return the same module as :func:`extract`, of the network's own blocks instead of copies."""
    return fx.GraphModule(network, _unrolled(network, tasks))


def _unrolled(network: "GroupedNetwork", tasks: Iterable[str]) -> fx.Graph:
    """Return the graph of all calls that the network makes to run some tasks."""
    graph = fx.Graph()
    # The calls of functions are recorded by what flows, those of blocks by their stand-ins.
    tracer = fx.proxy.GraphAppendingTracer(graph)
    images = fx.Proxy(graph.placeholder("images"), tracer)
    stand_ins = {
        node: {group: _recorded(tracer, f"blocks.{node}.{group}") for group in blocks}
        for node, blocks in network.blocks.items()
    }
    scores = network.forward(images, tasks, blocks=stand_ins)
    graph.output({task: score.node for task, score in scores.items()})
    graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))
    return graph


def _recorded(tracer: fx.proxy.GraphAppendingTracer, name: str) -> Callable[[fx.Proxy], fx.Proxy]:
    return lambda x: fx.Proxy(tracer.graph.call_module(name, (x.node,)), tracer)


IMAGES = "images"
"""Name of the model's input: normalised float32 images, (batch, channels, height, width)."""

_BATCH = 2


def onnx_model(
    subnetwork: nn.Module, input_shape: tuple[int, int, int], tasks: Iterable[str]
) -> "ModelProto":
    """Return a sub-network as an ONNX model: :data:`IMAGES` to one output of scores per task.

    Recorded by torch's own exporter, for any batch size. The model of a network holds those of
    its combinations: :func:`part_of` cuts them out in milliseconds.

    Args:
        subnetwork: maps images to task -> scores, in evaluation mode, on the CPU, as
            :meth:`GroupedNetwork.subnetwork` makes it.
        input_shape: (channels, height, width).
        tasks: names of the outputs, in the order in which the sub-network gives them.

    Raises:
        ConfigError: if a task has the name of the input.
    """
    tasks = list(tasks)
    if IMAGES in tasks:
        raise ConfigError(f"a task called '{IMAGES}' cannot be an output: the input is called so")
    # A batch of one would be recorded as a constant.
    images = torch.zeros(_BATCH, *input_shape)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # Of torch about itself.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            subnetwork,
            (images,),
            dynamo=True,
            verbose=False,
            input_names=[IMAGES],
            output_names=[_aside(task) for task in tasks],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    assert program is not None
    model = program.model_proto
    _name_outputs(model, tasks)
    return model


def _aside(task: str) -> str:
    """Return a name that no task and no node of the exporter has."""
    return f"/{task}"


def _name_outputs(model: "ModelProto", tasks: Iterable[str]) -> None:
    """Name the outputs after their tasks; whatever has such a name gets the output's old one."""
    names = {_aside(task): task for task in tasks} | {task: _aside(task) for task in tasks}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in [*model.graph.output, *model.graph.value_info]:
        value.name = names.get(value.name, value.name)


def part_of(model: "ModelProto", tasks: Iterable[str]) -> "ModelProto":
    """Return the part of a model that the outputs of some tasks need, with its weights."""
    from onnx.utils import Extractor

    return Extractor(model).extract_model([IMAGES], list(tasks))
