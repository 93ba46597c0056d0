"""One file for one network at several pruning strengths, and one network out of any file."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from pam.errors import ConfigError, DataError, PamError
from pam.files import read_meta, read_tensors, write_tensors
from pam.networks.grouped import GroupedNetwork

_DESCRIPTIONS = "strengths"
_AS_WRITTEN = 1e-5
"""Relative difference of a strength that was written with six digits."""


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


@dataclass(frozen=True)
class OneNetwork:
    """A network from a file.

    Attributes:
        network: in evaluation mode.
        strength: at which it was pruned; None where the file holds one network only.
        origin: what the file says of how it was made; empty if nothing.
    """

    network: GroupedNetwork
    strength: float | None
    origin: Mapping[str, Any]


def load_one(path: str | Path, strength: float | None, asked: str) -> OneNetwork:
    """Return one network of a file.

    Args:
        path: made by ``pam prune``, ``pam merge`` or ``pam train``.
        strength: which network of a pruned file; for the others None or 0.
        asked: how the user says a strength, for errors, e.g. ``--strength``.

    Raises:
        ConfigError: if the strength is missing, or there is no network of it.
        DataError: if the file is missing or damaged, or holds no network.
        ShapeError: if weights do not fit their description.
    """
    meta = read_meta(path)
    if "status" in meta:
        raise DataError(f"{path} holds no network: {meta['status']}: {meta.get('reason')}")
    said = meta.get("origin")
    origin = said if isinstance(said, dict) else {}
    if _DESCRIPTIONS not in meta:
        if strength:
            raise ConfigError(f"{path} holds a network that was not pruned: it has no {asked}")
        return OneNetwork(GroupedNetwork.load(path), None, origin)
    family = load_family(path)
    found = nearest_strength(path, family, strength, asked)
    return OneNetwork(family[found], found, origin)


def nearest_strength(
    path: str | Path, family: Mapping[float, object], strength: float | None, asked: str
) -> float:
    """Return the strength of a file's networks that is meant by one written with few digits.

    Raises:
        ConfigError: if none is.
    """
    known = ", ".join(f"{one:g}" for one in family)
    if strength is None:
        raise ConfigError(f"{path} holds several networks; give {asked}: {known}")
    for one in family:
        if isclose(one, strength, rel_tol=_AS_WRITTEN):
            return one
    raise ConfigError(f"{path} holds no network of strength {strength:g}; its strengths: {known}")


def _key(strength: float) -> str:
    return repr(float(strength))
