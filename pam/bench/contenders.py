"""The networks to time: those of a run at matched accuracy, and files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pam.errors import ConfigError
from pam.names import check_known
from pam.networks import Assembly, GroupedNetwork
from pam.networks.family import load_family, load_one, nearest_strength
from pam.reporting.names import order_combinations, order_mergings
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import OK
from pam.reporting.statistics.operating_points import parts_of
from pam.reporting.storage import read_table
from pam.runs.cells import Cell
from pam.runs.paths import Paths

_ASKED = ":STRENGTH"
_AXES = ("experiment", "dataset", "architecture", "merging", "pruning")


@dataclass(frozen=True)
class Contender:
    """A network to time.

    Attributes:
        name: how it is called in the table.
        cell: the columns that name a cell; the strength is None where its parts have several.
        network: in evaluation mode.
    """

    name: str
    cell: dict[str, Any]
    network: GroupedNetwork


@dataclass(frozen=True)
class Choice:
    """Which networks of a run: None is the only one there is, of seeds the lowest."""

    experiment: str | None = None
    pruning: str | None = None
    seed: int | None = None
    delta: float = 1.0


def networks_of_run(folder: str, choice: Choice) -> tuple[list[Contender], list[str]]:
    """Return the network of every merging at its operating point with all tasks running.

    Networks that share nothing, each of its own strength, are put together into one.

    Args:
        folder: of the run.
        choice: what of it.

    Returns:
        The networks in table order, and a sentence for every merging that has none.

    Raises:
        ConfigError: if the run has no such experiment, pruning, seed or delta, or several and
            none is named.
        DataError: if a file is missing or damaged.
    """
    points = read_table(folder, "operating_points")
    if points.empty:
        raise ConfigError(f"{folder} has no operating points: nothing in it was pruned")
    points = _chosen(points, "experiment", choice.experiment)
    points = _chosen(points, "pruning", choice.pruning)
    mergings = order_mergings(points["merging"])
    seeds = [int(seed) for seed in points["seed"]]
    points = _chosen(points, "seed", min(seeds) if choice.seed is None else choice.seed)
    points = _chosen(points, "delta", choice.delta)
    everything = order_combinations(points["combination"])[-1]
    points = select(points, combination=everything).set_index("merging")
    measured = read_table(folder, "measurements")
    found, notes = [], []
    for merging in mergings:
        status = points["status"].get(merging, "not there for this seed")
        if status != OK:
            notes.append(f"'{merging}', delta {choice.delta:g}: {status}, so not timed")
            continue
        point = points.loc[merging]
        cell = {name: point[name] for name in ("experiment", "pruning", "seed")}
        row = select(measured, merging=merging, **cell).iloc[0]
        cell |= {"merging": merging, "seed": int(point["seed"])}
        cell |= {name: row[name] for name in ("dataset", "architecture")}
        found.append(_contender(folder, cell, parts_of(everything, point["strengths"])))
    return found, notes


def _chosen(points: pd.DataFrame, axis: str, value: Any) -> pd.DataFrame:
    """Return the rows of one value of an axis: that which is named, or the only one."""
    known = list(dict.fromkeys(points[axis]))
    if value is None and len(known) > 1:
        raise ConfigError(f"the run has several of --{axis}: {', '.join(known)}; name one")
    shown = [one if isinstance(one, str) else f"{one:g}" for one in known]
    if value is not None:
        check_known(axis, value if isinstance(value, str) else f"{value:g}", shown)
    return points[points[axis] == (known[0] if value is None else value)]


def _contender(folder: str, cell: dict[str, Any], parts: Sequence[tuple[str, float]]) -> Contender:
    axes = (cell["experiment"], cell["merging"], cell["pruning"], cell["seed"])
    path = Paths(folder).artefact(Cell.of("prune", *axes))
    family = load_family(path)
    strengths = [nearest_strength(path, family, strength, _ASKED) for _, strength in parts]
    chosen = [family[strength] for strength in strengths]
    cell = {**cell, "strength": strengths[0] if len(set(strengths)) == 1 else None}
    if len(parts) == 1:
        return Contender(cell["merging"], cell, chosen[0])
    assemblies = [
        Assembly.of(network).restrict(tasks.split("&"))
        for network, (tasks, _) in zip(chosen, parts, strict=True)
    ]
    return Contender(cell["merging"], cell, Assembly.unite(assemblies).network().eval())


def network_of_file(named: str) -> Contender:
    """Return the network of a file, given as ``FILE`` or, one of several, as ``FILE:STRENGTH``.

    Raises:
        ConfigError: if the strength is missing, no number, unknown, or none is due.
        DataError: if the file is missing, damaged or holds no network.
        ShapeError: if the weights do not fit the network's description.
    """
    path, _, strength = named.rpartition(":")
    if not path or Path(named).is_file():
        path, strength = named, ""
    try:
        number = float(strength) if strength else None
    except ValueError as error:
        raise ConfigError(f"--networks {named}: '{strength}' is no strength") from error
    read = load_one(path, number, _ASKED)
    cell = {name: read.origin.get(name, "") for name in _AXES}
    cell |= {"seed": read.origin.get("seed"), "strength": read.strength}
    return Contender(named, cell, read.network)


def contenders(
    folder: str | None, choice: Choice, files: Sequence[str]
) -> tuple[list[Contender], list[str]]:
    """Return the networks of a run, then those of files, and the notes of the run.

    Raises:
        ConfigError: if none is left, or one is named twice; see :func:`networks_of_run` and
            :func:`network_of_file` for more.
    """
    chosen, notes = networks_of_run(folder, choice) if folder else ([], [])
    chosen += [network_of_file(named) for named in files]
    if not chosen:
        reasons = "; ".join(notes)
        raise ConfigError(f"no merging of {folder} is accurate enough to be timed: {reasons}")
    names = [contender.name for contender in chosen]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError(f"{name} is named twice")
    return chosen, notes
