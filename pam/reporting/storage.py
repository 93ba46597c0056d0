"""CSV files of a run, read, checked and written as :mod:`pam.reporting.schema` says."""

import csv
import io
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from pam.errors import DataError
from pam.files import write_text
from pam.names import TASK_NAME
from pam.reporting.schema import INTEGER, MEASUREMENTS, NAMES, TABLES, TEXT, Table, is_empty

_LARGEST = sys.float_info.max
_ANY = (-_LARGEST, _LARGEST)
_COUNT = (0.0, _LARGEST)
_SHARE = (0.0, 1.0)
_RANGES = {
    **dict.fromkeys(("accuracy", "validation_accuracy"), _SHARE),
    **dict.fromkeys(("single_task_accuracy", "single_task_validation_accuracy"), _SHARE),
    **dict.fromkeys(("p", *(f"flops_vs_{base}_p" for base in ("none", "mtz"))), _SHARE),
    "accuracy_drop": (-100.0, 100.0),
    **dict.fromkeys(("flops", "macs", "parameters", "neurons", "neurons_a", "neurons_b"), _COUNT),
    **dict.fromkeys(("shared", "exclusive_a", "exclusive_b", "removed", "n", "n_tasks"), _COUNT),
    **dict.fromkeys(("combinations", "crossed", "seed", "strength", "step", "epoch"), _COUNT),
    **dict.fromkeys(("learning_rate", "label_entropy_nats", "label_information_nats"), _COUNT),
    **dict.fromkeys(("threads", "batch_size", "rounds", "median_ms", "low_ms", "high_ms"), _COUNT),
    **dict.fromkeys(("wall_s", "cpu_s", "peak_memory_mb", "factor", "low", "high"), _COUNT),
    **dict.fromkeys(("flops_vs_none", "flops_vs_mtz"), _COUNT),
    **dict.fromkeys(("max_correlation", "mean_max_correlation"), (-1.0, 1.0)),
}
"""Column -> the lowest and the highest number; the ends of its interval have the same."""

_INTERVAL = re.compile(r"_(mean|low|high|holm)$")
_ROUNDING = 1e-6

FAILED = frozenset({"data_missing", "diverged", "collapsed", "out_of_memory", "missing"})
"""How a cell fails."""

STATUSES = FAILED | {"ok", "bound", "not reached", "failed"}
"""Of cells, and of what is computed from several: see :mod:`pam.reporting.statistics.matched`."""

_MEASURED = ("accuracy", "flops", "macs", "parameters")
"""What every row of measurements.csv has whose status is ok."""

_NAME_OR_NONE = re.compile(rf"(?:{TASK_NAME}(?:&{TASK_NAME})*)?")

_AXES = ("experiment", "dataset", "architecture", "task", "merging", "pruning", "seed")


def check_row(table: Table, row: Mapping[str, Any], job: Mapping[str, Any]) -> None:
    """Check a row of a record: types, ranges, status, and whether it is of the record's job."""
    table.check(row)
    for name, decimals in table.columns.items():
        value = row[name]
        if is_empty(value):
            if name in _MEASURED and table is MEASUREMENTS and row["status"] == "ok":
                raise DataError(f"column '{name}' of {table.name}.csv is empty, with status ok")
            continue
        low, high = _range(name)
        if decimals is TEXT:
            is_valid = isinstance(value, str) and (name != "status" or value in STATUSES)
        elif isinstance(value, bool) or not isinstance(value, Real):
            is_valid = False
        else:
            is_valid = low - _ROUNDING <= value <= high + _ROUNDING and (
                decimals is not INTEGER or value == int(value)
            )
        if not is_valid:
            raise DataError(
                f"column '{name}' of {table.name}.csv {_due(name, decimals)}, not {value!r}"
            )
    for name in _AXES:
        value, known = row.get(name), job.get(name)
        if not is_empty(value) and not is_empty(known) and value != known:
            raise DataError(f"a row of {table.name}.csv is of {name} {value!r}, not {known!r}")


def check_texts(table: Table, frame: pd.DataFrame, path: Path) -> None:
    """Check the keys, names and words of status of a CSV file, whose cells are text."""
    _check_keys(table, frame, path)
    for name in frame.columns.intersection(NAMES):
        # They become the names of files.
        for wrong in [one for one in frame[name].unique() if not _NAME_OR_NONE.fullmatch(one)][:1]:
            number = _line((frame[name] == wrong).argmax())
            raise DataError(
                f"{path} is damaged: row {number} has the '{name}' {wrong!r}, which is no name"
            )
    if "status" in frame:
        unknown = frame[~frame["status"].isin(STATUSES)]
        for number, row in unknown.head(1).iterrows():
            status = row["status"]
            raise DataError(f"{path} is damaged: row {_line(number)} has the status '{status}'")
    if table is MEASUREMENTS:
        empty = (frame[list(_MEASURED)] == "").any(axis=1) & (frame["status"] == "ok")
        for number in frame.index[empty][:1]:
            raise DataError(f"{path} is damaged: row {_line(number)} is ok, and lacks a number")


def _check_keys(table: Table, frame: pd.DataFrame, path: Path) -> None:
    twice = frame[frame.duplicated(list(table.key))]
    for number, row in twice.head(1).iterrows():
        where = ", ".join(f"{name}={row[name]}" for name in table.key)
        raise DataError(f"{path} is damaged: row {_line(number)} is a second one for {where}")


def check_numbers(frame: pd.DataFrame, path: Path) -> None:
    """Check the ranges of the numbers of a CSV file; NaN is an empty cell."""
    for name, values in frame.items():
        low, high = _range(str(name))
        wrong = values.index[(values < low - _ROUNDING) | (values > high + _ROUNDING)]
        if len(wrong):
            raise DataError(
                f"{path} is damaged: row {_line(wrong[0])}: '{name}' {_due(str(name), 1)}, "
                f"not {values[wrong[0]]:g}"
            )


@cache
def _range(name: str) -> tuple[float, float]:
    return _RANGES.get(_INTERVAL.sub("", name), _ANY)


def _due(name: str, decimals: int | None) -> str:
    """Return what a column needs, for errors."""
    if decimals is TEXT:
        known = ", ".join(sorted(STATUSES))
        return f"needs one of {known}" if name == "status" else "needs a word"
    kind = "a whole number" if decimals is INTEGER else "a number"
    low, high = _range(name)
    if high < _LARGEST:
        return f"needs {kind} in {low:g}..{high:g}"
    return f"needs {kind}" if low < 0 else f"needs {kind} >= 0"


def _line(index: Any) -> int:
    """Return a row's number: row 1 follows the header."""
    return int(index) + 1


def write_rows(folder: str | Path, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write :func:`csv_text` to ``<folder>/<table>.csv``, atomically."""
    write_text(Path(folder) / f"{table.name}.csv", csv_text(table, rows))


def csv_text(table: Table, rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the CSV file of rows, sorted, with fixed decimals.

    The same rows in any order give the same bytes.

    Raises:
        DataError: if a row has other columns than the table, or two rows have the same key.
    """
    lines = []
    for row in rows:
        cells = table.format_row(row)
        lines.append((table.sort_key(row), cells))
    lines.sort()
    for (key, _), (next_key, cells) in pairwise(lines):
        if key == next_key:
            named = dict(zip(table.columns, cells, strict=True))
            where = ", ".join(f"{name}={named[name]}" for name in table.key)
            raise DataError(f"{table.name}.csv would hold two rows for {where}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(cells for _, cells in lines)
    return text.getvalue()


def read_table(folder: str | Path, name: str) -> pd.DataFrame:
    """Return one CSV of a run: words as ``str`` (empty if none), numbers as float64 (NaN if none).

    Raises:
        DataError: as :func:`read_text_table`, or if a cell is no number of the column's range.
    """
    return as_numbers(read_text_table(folder, name), Path(folder) / f"{name}.csv")


def as_numbers(texts: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return :func:`read_table` from the rows of :func:`read_text_table` of the file ``path``."""
    table = TABLES[path.stem]
    numbers = [name for name, decimals in table.columns.items() if decimals is not TEXT]
    try:
        frame = texts.assign(**texts[numbers].replace("", "nan").astype(float))
        if (frame[numbers].isna() & (texts[numbers] != "")).any(axis=None):
            raise ValueError("nan is no number")
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from error
    check_numbers(frame[numbers], path)
    # The same number may be written in two ways.
    _check_keys(table, frame, path)
    return frame


def read_text_table(folder: str | Path, name: str) -> pd.DataFrame:
    """Return one CSV of a run with every cell as the text that stands in the file.

    Raises:
        DataError: if the file is missing or damaged, or if its columns, keys or words of status
            are not those of the schema.
    """
    table, path = TABLES[name], Path(folder) / f"{name}.csv"
    frame = read_texts(path, list(table.columns))
    check_texts(table, frame, path)
    return frame


def read_texts(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return a CSV file with every cell as the text that stands in the file.

    Args:
        path: of the file.
        columns: those that it must have; None for any, each once.

    Raises:
        DataError: if the file is missing or damaged, or has other columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
        if not lines:
            raise ValueError("it is empty")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except (ValueError, OSError, csv.Error) as error:
        raise DataError(f"{path} is damaged or not CSV: {error}") from error
    header = lines.pop(0)
    if header != (columns or list(dict.fromkeys(header))):
        due = f"the columns {','.join(columns)}" if columns else "every column once"
        raise DataError(f"{path} must have {due}")
    for number, line in enumerate(lines, 1):
        if len(line) != len(header):
            raise DataError(
                f"{path} is damaged: row {number} has {len(line)} cells instead of {len(header)}"
            )
    return pd.DataFrame(lines, columns=header, dtype=str)


def select(rows: pd.DataFrame, **values: str | float) -> pd.DataFrame:
    """Return the rows whose columns have the given values."""
    for name, value in values.items():
        rows = rows[rows[name] == value]
    return rows
