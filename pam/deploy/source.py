"""A network that is to be exported: from its file, and from the run around it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pam.data import data_hash
from pam.errors import DataError
from pam.files import stored_hash
from pam.networks import GroupedNetwork
from pam.networks.family import load_one
from pam.runs.cells import Cell
from pam.runs.paths import NETWORK, Paths, run_of
from pam.runs.record import check_beside, read_record


@dataclass(frozen=True)
class Source:
    """A network that is to be exported, and what is known of it.

    Attributes:
        network: it.
        name: what files of it are called.
        origin: cell and hashes, JSON-able.
        merged: the merged network that it was pruned from, if it is at hand.
        config: what of the configuration it depends on, if known.
        accuracies: task -> test accuracy as far as measured before.
        single_task: task -> test accuracy of the seed's single-task network, likewise.
        measured_in: where those accuracies are from.
    """

    network: GroupedNetwork
    name: str
    origin: Mapping[str, Any] = field(default_factory=dict)
    merged: GroupedNetwork | None = None
    config: Mapping[str, Any] | None = None
    accuracies: Mapping[str, float] = field(default_factory=dict)
    single_task: Mapping[str, float] = field(default_factory=dict)
    measured_in: str = ""


def read_source(path: str | Path, strength: float | None, data: str | Path) -> Source:
    """Return a network with its origin, and what records of the same run tell of it.

    Args:
        path: made by ``pam prune``, ``pam merge`` or ``pam train``.
        strength: which network of a pruned file; for the others None or 0.
        data: folder of the data set that it was made with.

    Raises:
        ConfigError: if the strength is missing, or there is no network of it.
        DataError: if a file is missing or damaged, holds no network, or one of other data.
    """
    path = Path(path)
    known = check_beside(path)
    read = load_one(path, strength, "--strength")
    if read.origin.get("data_hash", "") not in ("", data_hash(data)):
        raise DataError(f"{path} was made with other data than {data} holds")
    sha256 = stored_hash(path)
    origin = {**read.origin, "network_sha256": sha256}
    config = known.config if known else None
    if read.strength is None:
        return Source(read.network, path.stem, origin, config=config)
    measured = _measured(path, origin, read.strength)
    return Source(
        network=read.network,
        name=f"{path.stem}-{read.strength:g}",
        origin={**origin, "strength": read.strength},
        merged=_merged(path, known.parents if known else {}),
        config=config,
        accuracies=_column(measured, "accuracy"),
        single_task=_column(measured, "single_task_accuracy"),
        measured_in="from the run's measurements" if measured else "",
    )


def _merged(path: Path, parents: Mapping[str, str]) -> GroupedNetwork | None:
    """Return the merged network that a network was pruned from, if it lies where it lay."""
    for parent, sha256 in parents.items():
        merged = run_of(path) / parent
        if merged.suffix == NETWORK and merged.is_file() and stored_hash(merged) == sha256:
            return GroupedNetwork.load(merged)
    return None


def _measured(path: Path, origin: Mapping[str, Any], strength: float) -> list[Mapping[str, Any]]:
    """Return the rows of ``accuracies.csv`` that ``pam measure`` has of this very network."""
    axes = ("experiment", "merging", "pruning", "seed")
    if any(axis not in origin for axis in axes):
        return []
    cell = Cell.of("measure", *(origin[axis] for axis in axes))
    path = Path(Paths(str(run_of(path))).record(cell))
    if not path.is_file():
        return []
    record = read_record(path)
    if origin["network_sha256"] not in record.provenance.parents.values():
        return []
    return [row for row in record.rows.get("accuracies", []) if row["strength"] == strength]


def _column(rows: list[Mapping[str, Any]], name: str) -> dict[str, float]:
    return {row["task"]: row[name] for row in rows if row.get(name) is not None}
