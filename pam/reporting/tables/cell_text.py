"""Rows in the order of tables, how their numbers are written, and the notes that explain them."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from pam.reporting.names import Names, order_combinations
from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.matched import BOUND, FAILED, NOT_REACHED, Row
from pam.reporting.tables.text_table import Document, TextTable


class Lookup:
    """Rows that are found by the values of some columns."""

    def __init__(self, names: Names, rows: pd.DataFrame, axes: Sequence[str]) -> None:
        self._names, self._axes = names, list(axes)
        self._rows: dict[tuple, Row] = {
            tuple(row[axis] for axis in axes): row for row in rows.to_dict("records")
        }

    def __iter__(self) -> Iterator[tuple]:
        """Yield the values of all axes of every row."""
        return iter(self._rows)

    def get(self, *place: Any) -> Row | None:
        """Return the row with these values of all axes; None if there is none."""
        return self._rows.get(place)

    def all(self, *places: tuple) -> list[Row | None]:
        """Return :meth:`get` of several places."""
        return [self._rows.get(place) for place in places]

    def places(self, *axes: str) -> list[tuple]:
        """Return the combinations of values that some axes have, in table order."""
        columns = [self._axes.index(axis) for axis in axes]
        present = {tuple(place[column] for column in columns) for place in self._rows}
        ranks = [
            {value: rank for rank, value in enumerate(_in_order(self._names, axis, set(values)))}
            for axis, values in zip(axes, zip(*present, strict=True), strict=False)
        ]
        return sorted(
            present,
            key=lambda place: [rank[value] for rank, value in zip(ranks, place, strict=True)],
        )

    def values(self, axis: str) -> list[Any]:
        """Return the values of one axis in table order."""
        return [value for (value,) in self.places(axis)]


def _in_order(names: Names, axis: str, values: Iterable[Any]) -> list[Any]:
    """Return the values of an axis in table order."""
    if axis in ("merging", "against"):
        return names.order_mergings(values)
    if axis == "pruning":
        return names.order_prunings(values)
    if axis == "combination":
        return order_combinations(values)
    return sorted(values, key=natural_key if axis in ("experiment", "layer") else None)


NOT_ASKED = "–"
"""In the place of what a pruner was not asked for: it need not prune every merger."""

DASHES = {NOT_REACHED: "—†", FAILED: "—‡"}

NO_NETWORK = "† not reached: not every seed has a network that meets δ (in brackets: how many do)."

DASH_NOTES = {
    "†": "† not reached: not every seed's fitted curve comes within δ (in brackets: how many do); "
    "a ratio needs both curves.",
    "‡": "‡ failed or not measured; the reasons are in failures.csv.",
    "≤": "≤: of a seed already the cheapest network measured meets δ, so the cost lies at or below "
    "this; ≥: the same of the merger it is compared with.",
    "\n(": "In round brackets: both costs of the ratio are only upper bounds.",
    "n =": "n is given where fewer seeds than in the rest of the table could be used.",
}

BOLD_NOTE = "bold: the cheapest of a row, where its interval excludes the mean of the next."

_MOST_CAUSES = 4
# How a job begins a reason that another job passed on to it.
_PASSED_ON = re.compile(r"not (trained|merged|pruned|measured|related|analysed): ")


def estimate(row: Mapping[str, Any], name: str, scale: float, digits: str) -> str:
    """Return ``1.23 [1.10, 1.40]`` for a quantity of a row of ``matched.csv``, or its dash.

    ``scale`` is the factor from the file's unit to the table's.
    """
    mean, low, high = (row[f"{name}_{part}"] for part in ("mean", "low", "high"))
    if math.isnan(mean):
        return DASHES.get(row["status"], "—")
    return interval(scale * mean, scale * low, scale * high, digits)


def interval(mean: float, low: float, high: float, digits: str) -> str:
    """Return ``1.23 [1.10, 1.40]``, ``1.23`` where there is no interval, ``—`` for NaN."""
    if math.isnan(mean) or math.isnan(low):
        return number(mean, digits)
    return f"{number(mean, digits)} [{number(low, digits)}, {number(high, digits)}]"


def row_interval(row: Mapping[str, Any] | None, digits: str) -> str:
    """Return :func:`interval` of a row with ``mean``, ``low`` and ``high``; ``—`` for no row."""
    return "—" if row is None else interval(row["mean"], row["low"], row["high"], digits)


def number(value: float, digits: str) -> str:
    """Return a number, ``∞`` for infinity and ``—`` for NaN."""
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return "∞"
    text = format(value, digits)
    # ``#.3g`` of 110 ends in a point, and of 1234 has an exponent.
    return f"{float(text):.0f}" if "e+" in text else text.rstrip(".")


def cost_cell(row: Mapping[str, Any] | None, n: int) -> str:
    """Return the matched MFLOPs of a row with interval, and ``≤`` where it is a bound."""
    if row is None:
        return NOT_ASKED
    if row["status"] == BOUND:
        return f"≤ {number(1e-6 * row['flops_mean'], '#.3g')}{fewer(row, n)}"
    reached = f" ({row['crossed']:.0f}/{row['n']:.0f})" if row["status"] == NOT_REACHED else ""
    return estimate(row, "flops", 1e-6, "#.3g") + reached + fewer(row, n)


def accuracy_cell(row: Mapping[str, Any] | None, n: int) -> str:
    """Return the test accuracy of a row in percent with interval."""
    if row is None:
        return NOT_ASKED
    return estimate(row, "accuracy", 100, ".2f") + fewer(row, n)


def ratio_cell(row: Mapping[str, Any] | None, base: Mapping[str, Any] | None, name: str) -> str:
    """Return the ratio ``name`` of matched FLOPs; of bounds, which have no interval, a bound."""
    if row is None or base is None:
        return NOT_ASKED
    if math.isnan(row[f"{name}_mean"]):
        status = base["status"] if base["status"] in DASHES else row["status"]
        return DASHES.get(status, "—")
    bounds = (row["status"] == BOUND, base["status"] == BOUND)
    if not any(bounds):
        return estimate(row, name, 1.0, ".2f")
    text = number(row[f"{name}_mean"], ".2f")
    return f"({text})" if all(bounds) else ("≤ " if bounds[0] else "≥ ") + text


def p_cell(row: Mapping[str, Any] | None, base: Mapping[str, Any] | None, name: str) -> str:
    """Return the p value of a ratio, in brackets corrected by Holm; a dash where it has none."""
    if row is None or base is None or BOUND in (row["status"], base["status"]):
        return "—"
    p, corrected = row[f"{name}_p"], row[f"{name}_p_holm"]
    return "—" if math.isnan(p) else f"{p:.2g} ({corrected:.2g})"


def factor_cell(row: Mapping[str, Any]) -> str:
    """Return the factor of a row of ``headline.csv`` with interval: ``1.35 [0.93, 1.51] ×``."""
    if row["status"] == BOUND:
        # A cost that is at most x makes a factor that is at least the baseline's over x.
        return f"≥ {number(row['factor'], '.2f')} ×"
    return f"{interval(row['factor'], row['low'], row['high'], '.2f')} ×"


def brackets(n: int) -> str:
    """Return what stands in square brackets where numbers rest on ``n`` seeds."""
    if n < 2:
        return "One seed: there is no interval."
    if n == 2:
        return "In square brackets: the range of the two seeds, which is no interval."
    return "In square brackets: 95 % interval over seeds by Student's t (of two seeds their range)."


def fewer(row: Mapping[str, Any], n: int) -> str:
    """Return a remark where a row rests on fewer seeds than the table."""
    return f" (n = {row['n']:.0f})" if 0 < row["n"] < n else ""


def baseline(names: Names, reference: str) -> str:
    """Return the short name of a reference, ``B1`` or ``B2``."""
    return names.merging(reference).split()[0]


def noted_table(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    labels: int,
    strong: Collection[tuple[int, int]] = (),
    notes: Iterable[str] = (),
    reached: str = DASH_NOTES["†"],
) -> TextTable:
    """Return a table with the explanations of the signs in its cells, then further notes.

    ``reached`` is the one of what does not reach δ.
    """
    text = "".join(f"\n{cell}" for row in rows for cell in row[labels:])
    # ≤ and ≥ share a note; the one on brackets is on cells that begin with one.
    text = text.replace("≥", "≤")
    signs = DASH_NOTES | {"†": reached}
    known = [note for sign, note in signs.items() if sign in text] + [BOLD_NOTE] * bool(strong)
    return TextTable(title, header, rows, labels, frozenset(strong), [*known, *notes])


def explained(document: Document, run: Run, experiment: str) -> Document:
    """Return a document whose tables with failed cells name the causes in footnotes."""
    signs = {DASH_NOTES["‡"], DASH_NOTES["n ="]}
    if not any(signs & set(table.notes) for table in document.tables):
        return document
    every = causes(run, experiment)
    footnotes = [f"‡ {cause}" for cause in every[:_MOST_CAUSES]]
    if len(every) > _MOST_CAUSES:
        footnotes.append(f"‡ and {len(every) - _MOST_CAUSES} more")
    tables = [
        replace(table, notes=[*table.notes, *footnotes]) if signs & set(table.notes) else table
        for table in document.tables
    ]
    return replace(document, tables=tables)


def causes(run: Run, experiment: str) -> list[str]:
    """Return what went wrong in an experiment, one sentence per cause: where, status and reason."""
    failures = run.text_rows("failures", experiment=experiment)
    first = failures[~failures["reason"].str.match(_PASSED_ON)]
    sentences = []
    axes = ["merging", "pruning", "status", "reason"]
    for (merging, pruning, status, reason), rows in first.groupby(axes, sort=False):
        where = [run.names.merging(merging)] if merging else []
        where += [run.names.pruning(pruning)] if pruning else []
        seeds = [seed for seed in dict.fromkeys(rows["seed"]) if seed]
        where += [f"seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}"] if seeds else []
        sentences.append(f"{', '.join(where) or 'all'}: {status.replace('_', ' ')}: {reason}")
    return sentences
