"""Weights from a file against the network that a file describes."""

from collections.abc import Mapping

from torch import Tensor

from pam.errors import DataError, ShapeError

# What building a network from something else than its description leads to.
NOT_A_DESCRIPTION = (
    AttributeError,
    LookupError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


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
        said = "unknown" if name in state else "missing"
        raise ShapeError(f"the weights do not fit the network's description: '{name}' is {said}")
    for name, tensor in state.items():
        right = described[name]
        if tensor.dtype != right.dtype or tensor.shape != right.shape:
            raise ShapeError(
                f"the weights do not fit the network's description: '{name}' is "
                f"{tensor.dtype} {tuple(tensor.shape)}, not {right.dtype} {tuple(right.shape)}"
            )
        if not bool(tensor.isfinite().all()):
            raise DataError(f"the weight '{name}' holds NaN or infinity")
