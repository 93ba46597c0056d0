"""One network of a file: the only one, or that of a strength."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pam.errors import ConfigError, DataError
from pam.files import read_meta

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork

_FAMILY = "strengths"
_AS_WRITTEN = 1e-5
"""Relative difference of a strength that was written with six digits."""


@dataclass(frozen=True)
class OneNetwork:
    """A network from a file.

    Attributes:
        network: in evaluation mode.
        strength: at which it was pruned; None where the file holds one network only.
        origin: what the file says of how it was made; empty if nothing.
    """

    network: "GroupedNetwork"
    strength: float | None
    origin: Mapping[str, Any]


def read_one(path: str | Path, strength: float | None, asked: str) -> OneNetwork:
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
    from pam.networks import GroupedNetwork
    from pam.networks.family import load_family

    meta = read_meta(path)
    if "status" in meta:
        raise DataError(f"{path} holds no network: {meta['status']}: {meta.get('reason')}")
    said = meta.get("origin")
    origin = said if isinstance(said, dict) else {}
    if _FAMILY not in meta:
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
