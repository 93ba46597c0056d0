"""Timings of networks as rows and as a table: FLOPs, and how often faster than B1 and B2."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pam.bench.contenders import Contender
from pam.cost import Timing, paper_flops
from pam.reporting.names import merging_name
from pam.reporting.schema import INTEGER, LATENCY, TEXT, Columns, Table
from pam.reporting.statistics.bootstrap import median_interval
from pam.reporting.statistics.matched import REFERENCES
from pam.reporting.storage import write_rows
from pam.reporting.tables.cells import interval, number
from pam.reporting.tables.text_table import TextTable
from pam.runs.machine import environment

Row = dict[str, Any]

_SPEED_UPS: Columns = {
    f"{quantity}_vs_{reference}{part}": 4
    for reference in REFERENCES
    for quantity, parts in (("flops", ("",)), ("time", ("", "_low", "_high")))
    for part in parts
}
COLUMNS = LATENCY.columns | {"network": TEXT, "flops": INTEGER} | _SPEED_UPS | {"machine": TEXT}


def latency_rows(
    contenders: Sequence[Contender], timings: Sequence[Timing], device: str
) -> list[Row]:
    """Return a row per timing, in the order they were timed in.

    ``flops_vs_none`` and ``time_vs_none`` are how many times less a network costs than the first
    one that ``none`` made, ``_vs_mtz`` likewise; None where there is no such network. In time that
    is the median over rounds of the ratio within a round, with its 95 % bootstrap interval.

    Args:
        contenders: the networks.
        timings: of their sub-networks.
        device: ``"cpu"`` or ``"cuda"``.
    """
    machine = _machine(device)
    by_name = {contender.name: contender for contender in contenders}
    flops = {
        key: paper_flops(by_name[key[0]].network, key[1].split("&"))
        for key in {(timing.network, timing.combination) for timing in timings}
    }
    timed = {(timing.network, *_setting(timing)): timing for timing in timings}
    references = {
        reference: next((c.name for c in contenders if c.cell["merging"] == reference), None)
        for reference in REFERENCES
    }
    rows = []
    for timing in timings:
        own = flops[timing.network, timing.combination]
        row = {**by_name[timing.network].cell, **timing.columns(), "network": timing.network}
        row |= {"flops": own, "machine": machine} | dict.fromkeys(_SPEED_UPS)
        for reference, name in references.items():
            base = timed.get((name, *_setting(timing)))
            if base is not None:
                row[f"flops_vs_{reference}"] = flops[base.network, base.combination] / own
                median = median_interval(base.times.ms / timing.times.ms, "rounds")
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
        short = merging_name(name).split()[0]
        header += [f"FLOPs: × less than {short}", f"time: × less than {short}"]
    cells = [[*_labels(row), *_numbers(row, against)] for row in rows]
    how = (
        f"Times of one pass, not of one image: median and 5th and 95th percentile of "
        f"{rows[0]['rounds']} rounds."
    )
    ratios = (
        "× less: median over the same rounds of the ratio within a round, in square brackets its "
        f"95 % bootstrap interval over rounds (n = {rows[0]['rounds']} rounds of one process: the "
        "spread of the machine, not that of training)."
    )
    notes = [how, ratios] if against else [how]
    table = TextTable(f"Latency on {rows[0]['machine']}", header, cells, len(labels), notes=notes)
    return table.to_markdown().rstrip()


def _labels(row: Row) -> list[str]:
    named = [f"{row['batch_size']}", f"{row['threads']}", row["backend"], row["combination"]]
    return [*named, row["network"]]


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


def _setting(timing: Timing) -> tuple[str, int, int, str]:
    return timing.combination, timing.batch_size, timing.threads, timing.backend


def _machine(device: str) -> str:
    """Return what the networks ran on, in words."""
    known = environment(device)
    if device != "cpu":
        return str(known["device"])
    return f"{known['cpu'] or 'an unknown CPU'}, {known['cores']} cores"
