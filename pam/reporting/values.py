"""Which values the columns of CSV files may hold: numbers in range, known status, keys once."""

import math
import re
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from pam.errors import DataError
from pam.names import TASK_NAME
from pam.reporting.schema import INTEGER, NAMES, TEXT, Table, is_empty

_ANY = (-math.inf, math.inf)
_COUNT = (0.0, math.inf)
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

_NAME_OR_NONE = re.compile(rf"(?:{TASK_NAME}(?:&{TASK_NAME})*)?")

_AXES = ("experiment", "dataset", "architecture", "task", "merging", "pruning", "seed")


def check_row(table: Table, row: Mapping[str, Any], job: Mapping[str, Any]) -> None:
    """Check a row of a record: types, ranges, status, and whether it is of the record's job.

    Args:
        table: of which CSV file it is.
        row: column -> value, as JSON holds it.
        job: axis -> value of the record's job, as far as it has them.

    Raises:
        DataError: naming the column.
    """
    table.check(row)
    for name, decimals in table.columns.items():
        value = row[name]
        if is_empty(value):
            continue
        low, high = _range(name)
        if decimals is TEXT:
            is_valid = isinstance(value, str) and (name != "status" or value in STATUSES)
        elif isinstance(value, bool) or not isinstance(value, Real):
            is_valid = False
        else:
            is_valid = low - _ROUNDING <= value <= high + _ROUNDING and math.isfinite(value)
            is_valid &= decimals is not INTEGER or value == int(value)
        if not is_valid:
            raise DataError(
                f"column '{name}' of {table.name}.csv {_due(name, decimals)}, not {value!r}"
            )
    for name in _AXES:
        value, known = row.get(name), job.get(name)
        if not is_empty(value) and not is_empty(known) and value != known:
            raise DataError(f"a row of {table.name}.csv is of {name} {value!r}, not {known!r}")


def check_texts(table: Table, frame: pd.DataFrame, path: Path) -> None:
    """Check the keys, names and words of status of a CSV file, whose cells are text.

    Raises:
        DataError: naming the row.
    """
    twice = frame[frame.duplicated(list(table.key))]
    for number, row in twice.head(1).iterrows():
        where = ", ".join(f"{name}={row[name]}" for name in table.key)
        raise DataError(f"{path} is damaged: row {_line(number)} is a second one for {where}")
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


def check_numbers(frame: pd.DataFrame, path: Path) -> None:
    """Check the ranges of the numbers of a CSV file; NaN is an empty cell.

    Raises:
        DataError: naming the row and the column.
    """
    for name, values in frame.items():
        low, high = _range(str(name))
        wrong = values.index[(values < low - _ROUNDING) | (values > high + _ROUNDING)]
        if len(wrong):
            raise DataError(
                f"{path} is damaged: row {_line(wrong[0])}: '{name}' {_due(str(name), 1)}, "
                f"not {values[wrong[0]]:g}"
            )


def _range(name: str) -> tuple[float, float]:
    return _RANGES.get(_INTERVAL.sub("", name), _ANY)


def _due(name: str, decimals: int | None) -> str:
    """Return what a column needs, for errors."""
    if decimals is TEXT:
        known = ", ".join(sorted(STATUSES))
        return f"needs one of {known}" if name == "status" else "needs a word"
    kind = "a whole number" if decimals is INTEGER else "a number"
    low, high = _range(name)
    if high < math.inf:
        return f"needs {kind} in {low:g}..{high:g}"
    return f"needs {kind}" if low < 0 else f"needs {kind} >= 0"


def _line(index: Any) -> int:
    """Return a row's number: row 1 follows the header."""
    return int(index) + 1
