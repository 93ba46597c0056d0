"""One file for one network at several pruning strengths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pam.errors import DataError, PamError
from pam.files import read_tensors, write_tensors
from pam.networks.grouped import GroupedNetwork

_DESCRIPTIONS = "strengths"


def save_family(
    path: str | Path,
    networks: Mapping[float, GroupedNetwork],
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write networks of increasing strength to one safetensors file, atomically.

    Args:
        path: the file; its tensors are named ``<strength>/<parameter>``.
        networks: strength -> network.
        meta: further JSON-able facts; the key ``strengths`` is taken by the descriptions.

    Raises:
        DataError: if the file cannot be written.
    """
    tensors = {
        f"{_key(strength)}/{name}": tensor
        for strength, network in networks.items()
        for name, tensor in network.tensors().items()
    }
    described = {_key(strength): network.describe() for strength, network in networks.items()}
    write_tensors(path, tensors, {**(meta or {}), _DESCRIPTIONS: described})


def load_family(path: str | Path) -> dict[float, GroupedNetwork]:
    """Return strength -> network of a file written by :func:`save_family`, weakest first.

    Raises:
        DataError: if the file is missing, damaged or holds no such networks.
        ShapeError: if weights do not fit their description.
    """
    tensors, meta = read_tensors(path)
    if not isinstance(meta, dict) or not isinstance(meta.get(_DESCRIPTIONS), dict):
        raise DataError(f"{path} does not hold networks of several strengths")
    networks: dict[float, GroupedNetwork] = {}
    for key, description in meta[_DESCRIPTIONS].items():
        prefix = f"{key}/"
        state = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        try:
            strength = float(key)
        except ValueError as error:
            raise DataError(f"{path} has the strength '{key}', which is no number") from error
        try:
            networks[strength] = GroupedNetwork.from_description(description, state)
        except PamError as error:
            raise type(error)(f"{path}, strength {key}: {error}") from error
    return dict(sorted(networks.items()))


def _key(strength: float) -> str:
    return repr(float(strength))
