"""What benchmarks save: rows of one shape, and the limits that they are held against."""

import argparse
import csv
import operator
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import interval, machine, ratios
from pam.files import atomic_path

FIELDS = (
    "benchmark", "case", "size", "seconds", "peer", "peer_seconds", "ratio_of", "ratio", "low",
    "high", "n", "value", "peer_value", "true_value", "difference", "peer_difference", "peak_gib",
    "wanted", "threads", "torch", "machine",
)  # fmt: skip
"""Columns. ``seconds`` are medians over ``n`` rounds, ``ratio`` the median of the rounds' ratios
with its 95 % bootstrap interval ``low`` to ``high``; ``ratio_of`` says which way round it is.
``value`` is what was computed, ``difference`` how far that is from what the peer computed or, where
there is a ``true_value``, from that. ``wanted`` are limits, as in ``ratio>=3; peak_gib<=1``."""

PEER_OVER_OURS, OURS_OVER_PEER = "peer/ours", "ours/peer"
FOLDER = "docs/performance"

Row = dict[str, str]

_LIMIT = re.compile(r"(\w+)(>=|<=)([\d.e+-]+)")
_HOLDS = {">=": operator.ge, "<=": operator.le}
_WORDS = {">=": "≥", "<=": "≤"}
_QUANTITIES = {
    "ratio": "ratio {}",
    "seconds": "{} s",
    "peak_gib": "{} GiB",
    "difference": "difference {}",
}
_SAID = {True: "reached", False: "**not reached**"}


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        benchmark: the module that measures it.
        name: of the case, in words.
        size: what is varied, name -> value.
        threads: that torch computes with.
        wanted: limits, see :data:`FIELDS`; empty if there are none.
    """

    benchmark: str
    name: str
    size: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    wanted: str = ""


def times_faster(
    case: Case, ours: Sequence[float], peer: str, theirs: Sequence[float], **facts: Any
) -> Row:
    """Return the row of how many times longer a peer takes than we do.

    Args:
        case: what is measured.
        ours: our seconds, round by round.
        peer: whom we are compared with, with its version if it has one.
        theirs: the peer's seconds in the same rounds.
        facts: other columns.
    """
    return _row(case, ours, peer, theirs, PEER_OVER_OURS, ratios(theirs, ours), facts)


def times_as_long(
    case: Case, ours: Sequence[float], peer: str, theirs: Sequence[float], **facts: Any
) -> Row:
    """Return the row of how many times longer we take than something cheaper or smaller does.

    Arguments are those of :func:`times_faster`.
    """
    return _row(case, ours, peer, theirs, OURS_OVER_PEER, ratios(ours, theirs), facts)


def _row(
    case: Case,
    ours: Sequence[float],
    peer: str,
    theirs: Sequence[float],
    ratio_of: str,
    quotients: Sequence[float],
    facts: Mapping[str, Any],
) -> Row:
    low, high = interval(quotients)
    columns = {
        "benchmark": case.benchmark,
        "case": case.name,
        "size": " ".join(f"{name}={value}" for name, value in case.size.items()),
        "seconds": statistics.median(ours),
        "peer": peer,
        "peer_seconds": statistics.median(theirs),
        "ratio_of": ratio_of,
        "ratio": statistics.median(quotients),
        "low": low,
        "high": high,
        "n": len(quotients),
        **facts,
        "wanted": case.wanted,
        "threads": case.threads,
        "torch": torch.__version__,
        "machine": machine(),
    }
    written = {name: _text(columns.pop(name, "")) for name in FIELDS}
    if columns:
        raise ValueError(f"a row has no column '{next(iter(columns))}'")
    return written


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def sizes(row: Row) -> dict[str, str]:
    """Return what is varied, name -> value."""
    return dict(part.split("=", 1) for part in row["size"].split())


def varying(rows: Sequence[Row]) -> list[str]:
    """Return the names of what is not the same in all rows, among that which all rows have."""
    all_sizes = [sizes(row) for row in rows]
    return [name for name in all_sizes[0] if len({one.get(name) for one in all_sizes}) > 1]


def verdicts(row: Row) -> str:
    """Return what was wanted of a row, and whether it is reached.

    A limit on the ratio is held against its interval as well.
    """
    return "; ".join(_verdict(row, *limit) for limit in _LIMIT.findall(row["wanted"]))


def limit_on(row: Row, quantity: str) -> float | None:
    """Return the limit on a quantity of a row, None if there is none."""
    bounds = (float(bound) for name, _, bound in _LIMIT.findall(row["wanted"]) if name == quantity)
    return next(bounds, None)


def _verdict(row: Row, quantity: str, sign: str, bound: str) -> str:
    holds, limit = _HOLDS[sign], float(bound)
    wanted = _QUANTITIES[quantity].format(f"{_WORDS[sign]} {bound}")
    said = _SAID[holds(float(row[quantity]), limit)]
    if quantity == "ratio" and holds(float(row["low"]), limit) != holds(float(row["high"]), limit):
        said += ", but within the interval"
    return f"{wanted}: {said}"


def command_line(name: str, description: str, rounds: int) -> argparse.ArgumentParser:
    """Return the parser of what every benchmark is told: where to write, and how many rounds."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--out", default=f"{FOLDER}/{name}.csv", help="CSV to write")
    parser.add_argument("--rounds", type=int, default=rounds, help="timed rounds per row (n)")
    return parser


def save(path: str | Path, rows: Iterable[Row]) -> None:
    """Print every row as it comes, and write them all to a CSV in the end."""
    kept = []
    for row in rows:
        print(*(f"{name}={value}" for name, value in row.items() if value), sep="  ", flush=True)
        kept.append(row)
    write_csv(path, FIELDS, kept)


def write_csv(path: str | Path, fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to ``path``, whole or not at all, and say so."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as handle:
        writer = csv.DictWriter(handle, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {path}")
