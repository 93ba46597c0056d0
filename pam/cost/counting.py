"""Multiply-accumulates of a module as fvcore counts them: of what is run, by tracing it."""

import copy
from collections.abc import Iterable, Sequence
from itertools import chain

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from pam.errors import ConfigError, ShapeError

# Additions, pooling and activations that fvcore has no count for. (It passes by itself over
# aten::relu and over operators that only move values, such as aten::flatten and aten::cat.)
FREE_OPERATORS = frozenset(
    f"aten::{name}" for name in ("add", "add_", "avg_pool2d", "max_pool2d", "sigmoid", "tanh")
)


def macs(module: nn.Module, input_shape: Sequence[int]) -> int:
    """Return the multiply-accumulates of one forward pass on one image; 1 MAC counts 1.

    Args:
        module: returns a tensor, a tuple of tensors or a dict of tensors; it is left as it was.
        input_shape: (channels, height, width).

    Raises:
        ConfigError: for an operator that is neither counted nor known to be free.
        ShapeError: if the module cannot run on such an image.
    """
    return sum(macs_by_operator(module, input_shape).values())


def macs_by_operator(module: nn.Module, input_shape: Sequence[int]) -> dict[str, int]:
    """Return the multiply-accumulates by operator, e.g. ``{"conv": 240000, "linear": 4800}``.

    Arguments and errors are those of :func:`macs`.
    """
    counts = _counted(module, input_shape).by_operator()
    return {operator: int(count) for operator, count in sorted(counts.items())}


def macs_of_parts(
    whole: nn.Module, parts: Iterable[nn.Module], input_shape: Sequence[int]
) -> list[int]:
    """Return the multiply-accumulates of each part of a module, which is traced once.

    Args:
        whole: as for :func:`macs`; what it computes with is in submodules, e.g. the sub-network
            of all tasks.
        parts: hold some of the submodules of ``whole``, by the same names, and call each with an
            input of the same shape as ``whole`` does, e.g. the sub-networks of combinations.
        input_shape: (channels, height, width).

    Raises:
        ConfigError, ShapeError: as :func:`macs`.
    """
    counts = _counted(whole, input_shape).by_module()
    return [
        sum(
            int(counts[f"module.{name}"])
            for name, module in part.named_modules()
            if not any(module.children())
        )
        for part in parts
    ]


def _counted(module: nn.Module, input_shape: Sequence[int]) -> FlopCountAnalysis:
    """Return fvcore's analysis, traced and free of operators of unknown cost."""
    # A copy: fvcore hangs hooks on the module and leaves them there when tracing fails.
    traced = _TensorOutputs(copy.deepcopy(module).eval())
    like = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    images = torch.zeros(1, *input_shape, dtype=like.dtype, device=like.device)
    analysis = FlopCountAnalysis(traced, images)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    try:
        analysis.total()  # traces; every count is read from it
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise ShapeError(
            f"the network cannot run on {tuple(input_shape)} images: {first}"
        ) from error
    unknown = sorted(set(analysis.unsupported_ops()) - FREE_OPERATORS)
    if unknown:
        raise ConfigError(
            f"operator '{unknown[0]}' is not counted by fvcore and not known to be free of cost"
        )
    return analysis


class _TensorOutputs(nn.Module):
    """A module whose dict of outputs becomes a tuple, which is what the tracer takes."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        outputs = self.module(images)
        return tuple(outputs.values()) if isinstance(outputs, dict) else outputs
