"""CSV files of a run, read and written as :mod:`pam.reporting.schema` says."""

import csv
import io
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from pam.errors import DataError
from pam.files import write_text
from pam.reporting.schema import TABLES, TEXT, Table
from pam.reporting.values import check_numbers, check_texts


def write_rows(folder: str | Path, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to ``<folder>/<table>.csv``, sorted, with fixed decimals, atomically.

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
    write_text(Path(folder) / f"{table.name}.csv", text.getvalue())


def read_table(folder: str | Path, name: str) -> pd.DataFrame:
    """Return one CSV of a run: words as ``str`` (empty if none), numbers as float64 (NaN if none).

    Raises:
        DataError: as :func:`read_text_table`, or if a cell is no number of the column's range.
    """
    return as_numbers(read_text_table(folder, name), Path(folder) / f"{name}.csv")


def as_numbers(texts: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return :func:`read_table` from the rows of :func:`read_text_table` of the file ``path``."""
    columns = TABLES[path.stem].columns.items()
    numbers = [name for name, decimals in columns if decimals is not TEXT]
    try:
        frame = texts.assign(**texts[numbers].replace("", "nan").astype(float))
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from error
    check_numbers(frame[numbers], path)
    return frame


def read_text_table(folder: str | Path, name: str) -> pd.DataFrame:
    """Return one CSV of a run with every cell as the text that stands in the file.

    Raises:
        DataError: if the file is missing or damaged, or if its columns, keys or words of status
            are not those of the schema.
    """
    table, path = TABLES[name], Path(folder) / f"{name}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file, strict=True)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except (ValueError, OSError, csv.Error) as error:
        raise DataError(f"{path} is damaged or not CSV: {error}") from error
    if header != list(table.columns):
        raise DataError(f"{path} must have the columns {','.join(table.columns)}")
    for number, line in enumerate(lines, 1):
        if len(line) != len(header):
            raise DataError(
                f"{path} is damaged: row {number} has {len(line)} cells instead of {len(header)}"
            )
    frame = pd.DataFrame(lines, columns=header, dtype=str)
    check_texts(table, frame, path)
    return frame


def select(rows: pd.DataFrame, **values: str | float) -> pd.DataFrame:
    """Return the rows whose columns have the given values."""
    for name, value in values.items():
        rows = rows[rows[name] == value]
    return rows
