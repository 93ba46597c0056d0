"""From a dense sub-network to ONNX, which runs without torch and without this project."""

import contextlib
import io
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import nn

from pam.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto

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
