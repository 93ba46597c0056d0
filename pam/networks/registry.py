"""The registry of architectures, and networks of them as files describe them."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from pam.errors import DataError, ShapeError
from pam.groups import Widths, parse_group
from pam.networks.architecture import Architecture, check_input_shape
from pam.registry import ARCHITECTURE, Registry
from pam.source import entry_points
from pam.source.options import check_call

ARCHITECTURES: Registry[Callable[..., Architecture]] = Registry(ARCHITECTURE, entry_points.load)
register = ARCHITECTURES.register


def architecture(name: str, input_shape: object, **options: Any) -> Architecture:
    """Return a registered architecture.

    Raises:
        ConfigError: for an unknown name or option, or a value out of its range.
        ShapeError: for an impossible input shape.
    """
    make = ARCHITECTURES.get(name)
    check_call(ARCHITECTURES, name, options)
    made = make(check_input_shape(input_shape), **options)
    made.signals  # noqa: B018 - computed once here, so that a too small image is refused early
    return made


# What :func:`parse_description` raises if it is given something else.
NOT_A_DESCRIPTION = (
    AttributeError,
    LookupError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def parse_description(
    description: Mapping[str, Any],
) -> tuple[Architecture, dict[str, int], Widths]:
    """Return architecture, tasks and widths from what :meth:`GroupedNetwork.describe` returned."""
    design = description["architecture"]
    tasks = {str(task): int(count) for task, count in description["tasks"]}
    widths = {
        layer: {parse_group(name, list(tasks)): int(units) for name, units in groups.items()}
        for layer, groups in description["widths"].items()
    }
    name, input_shape = design["name"], design["input_shape"]
    return architecture(name, input_shape, **design["options"]), tasks, widths


def check_weights(state: Mapping[str, Tensor], described: Mapping[str, Tensor]) -> None:
    """Refuse weights that a described network does not have, or cannot compute with.

    Args:
        state: name -> tensor, from a file.
        described: name -> tensor of the right type and shape; its values do not matter.

    Raises:
        DataError: if a weight is NaN or infinite.
        ShapeError: if a tensor is missing, unknown, or of another type or shape.
    """
    for name in sorted(state.keys() ^ described.keys()):
        fault = "unknown" if name in state else "missing"
        raise ShapeError(f"the weights do not fit the network's description: '{name}' is {fault}")
    for name, tensor in state.items():
        right = described[name]
        if tensor.dtype != right.dtype or tensor.shape != right.shape:
            raise ShapeError(
                f"the weights do not fit the network's description: '{name}' is "
                f"{tensor.dtype} {tuple(tensor.shape)}, not {right.dtype} {tuple(right.shape)}"
            )
        if not bool(tensor.isfinite().all()):
            raise DataError(f"the weight '{name}' holds NaN or infinity")
