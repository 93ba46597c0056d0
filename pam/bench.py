"""The networks of a run or of files, and their timings as rows and as a table.

Networks of a run are those at matched accuracy; rows say how often faster than B1 and B2 one is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pam.cost import Timing, paper_flops
from pam.errors import ConfigError
from pam.names import check_known
from pam.networks import Assembly, GroupedNetwork
from pam.networks.family import load_family, load_one, nearest_strength
from pam.reporting.names import Names, order_combinations
from pam.reporting.run import Run
from pam.reporting.schema import INTEGER, LATENCY, TEXT, Columns, Table
from pam.reporting.statistics.intervals import median_interval
from pam.reporting.statistics.latency import UNSTEADY_NOTE, is_unsteady
from pam.reporting.statistics.matched import OK, REFERENCES
from pam.reporting.statistics.operating_points import parts_of
from pam.reporting.storage import select, write_rows
from pam.reporting.tables.cell_text import interval, number
from pam.reporting.tables.text_table import TextTable
from pam.runs.cells import Cell
from pam.runs.machine import environment
from pam.runs.paths import Paths
from pam.runs.record import check_beside

_ASKED = ":STRENGTH"
_AXES = ("experiment", "dataset", "architecture", "merging", "pruning")

Row = dict[str, Any]

_SPEED_UPS: Columns = {
    f"{quantity}_vs_{reference}{part}": 4
    for reference in REFERENCES
    for quantity, parts in (("flops", ("",)), ("time", ("", "_low", "_high")))
    for part in parts
}
COLUMNS = LATENCY.columns | {"network": TEXT, "flops": INTEGER} | _SPEED_UPS | {"machine": TEXT}


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


def networks_of_run(
    folder: str,
    experiment: str | None = None,
    pruning: str | None = None,
    seed: int | None = None,
    delta: float = 1.0,
) -> tuple[list[Contender], list[str]]:
    """Return the network of every merging at its operating point with all tasks running.

    Networks that share nothing, each of its own strength, are put together into one.

    Args:
        folder: of the run.
        experiment: None is the only one there is.
        pruning: likewise.
        seed: None is the lowest.
        delta: as ``pam aggregate`` took it, in percentage points of accuracy.

    Returns:
        The networks in table order, and a sentence for every merging that has none.

    Raises:
        ConfigError: if the run has no such experiment, pruning, seed or delta, or several and
            none is named.
        DataError: if a file is missing or damaged.
    """
    run = Run(folder)
    points = run.table("operating_points")
    if points.empty:
        raise ConfigError(f"{folder} has no operating points: nothing in it was pruned")
    points = _chosen(points, "experiment", experiment)
    points = _chosen(points, "pruning", pruning)
    mergings = run.names.order_mergings(points["merging"])
    seeds = [int(seed) for seed in points["seed"]]
    points = _chosen(points, "seed", min(seeds) if seed is None else seed)
    points = _chosen(points, "delta", delta)
    everything = order_combinations(points["combination"])[-1]
    points = select(points, combination=everything).set_index("merging")
    measured = run.table("measurements")
    found, notes = [], []
    for merging in mergings:
        status = points["status"].get(merging, "not there for this seed")
        if status != OK:
            notes.append(f"'{merging}', delta {delta:g}: {status}, so not timed")
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
    check_beside(path)
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
    if not Path(path).name:
        raise ConfigError(f"--networks needs the names of files, not '{named}'")
    check_beside(path)
    read = load_one(path, number, _ASKED)
    cell = {name: read.origin.get(name, "") for name in _AXES}
    cell |= {"seed": read.origin.get("seed"), "strength": read.strength}
    return Contender(named, cell, read.network)


def latency_rows(
    contenders: Sequence[Contender], timings: Sequence[Timing], device: str
) -> list[Row]:
    """Return a row per timing, in the order they were timed in.

    ``flops_vs_none`` and ``time_vs_none`` are how many times less a network costs than the first
    one that ``none`` made, ``_vs_mtz`` likewise; None where there is no such network. In time that
    is the median over rounds of the ratio within a round, with its 95 % interval.
    """
    known = environment(device)
    cpu = f"{known['cpu'] or 'an unknown CPU'}, {known['cores']} cores"
    machine = cpu if device == "cpu" else str(known["device"])
    by_name = {contender.name: contender for contender in contenders}
    flops = {
        key: paper_flops(by_name[key[0]].network, key[1].split("&"))
        for key in {(timing.network, timing.combination) for timing in timings}
    }
    timed = {(t.network, t.combination, t.batch_size, t.threads, t.backend): t for t in timings}
    references = {
        reference: next((c.name for c in contenders if c.cell["merging"] == reference), None)
        for reference in REFERENCES
    }
    rows = []
    for timing in timings:
        own = flops[timing.network, timing.combination]
        row = {**by_name[timing.network].cell, **timing.columns(), "network": timing.network}
        row |= {"flops": own, "machine": machine} | dict.fromkeys(_SPEED_UPS)
        setting = (timing.combination, timing.batch_size, timing.threads, timing.backend)
        for reference, name in references.items():
            base = timed.get((name, *setting))
            if base is not None:
                row[f"flops_vs_{reference}"] = flops[base.network, base.combination] / own
                median = median_interval(base.times.ms / timing.times.ms)
                row[f"time_vs_{reference}"] = median.mean
                row |= {f"time_vs_{reference}_{e}": getattr(median, e) for e in ("low", "high")}
        rows.append(row)
    return rows


def write(path: str, rows: Sequence[Row]) -> None:
    """Write rows to a CSV file, sorted, atomically."""
    key = (*LATENCY.key, "network")
    write_rows(Path(path).parent, Table(Path(path).stem, COLUMNS, key), rows)


def printed(rows: Sequence[Row]) -> str:
    """Return the rows as a table to read, and what its numbers are."""
    against = [name for name in REFERENCES if any(row[f"flops_vs_{name}"] for row in rows)]
    labels = ["batch", "threads", "backend", "tasks", "network"]
    header = [*labels, "MFLOPs", "ms [5 %, 95 %]"]
    for name in against:
        short = Names().merging(name).split()[0]
        header += [f"FLOPs: × less than {short}", f"time: × less than {short}"]
    named = ("batch_size", "threads", "backend", "combination", "network")
    cells = [[*(str(row[name]) for name in named), *_numbers(row, against)] for row in rows]
    how = (
        f"Times of one pass, not of one image: median and 5th and 95th percentile of "
        f"{rows[0]['rounds']} rounds."
    )
    ratios = (
        "× less: median over the same rounds of the ratio within a round, in square brackets its "
        f"95 % interval over rounds (n = {rows[0]['rounds']} rounds of one process: the "
        "spread of the machine, not that of training)."
    )
    notes = [how, ratios] if against else [how]
    if is_unsteady(pd.DataFrame(rows)):
        notes.append(UNSTEADY_NOTE.removeprefix("§ "))
    table = TextTable(f"Latency on {rows[0]['machine']}", header, cells, len(labels), notes=notes)
    return table.to_markdown().rstrip()


def _numbers(row: Row, against: Sequence[str]) -> Iterator[str]:
    yield number(1e-6 * row["flops"], "#.3g")
    yield interval(row["median_ms"], row["low_ms"], row["high_ms"], "#.3g")
    for name in against:
        ratio = row[f"flops_vs_{name}"]
        yield "—" if ratio is None else number(ratio, ".2f")
        if row["merging"] == name:
            yield "1"
        elif ratio is None:
            yield "—"
        else:
            ends = (row[f"time_vs_{name}{part}"] for part in ("", "_low", "_high"))
            yield interval(*ends, ".2f")
