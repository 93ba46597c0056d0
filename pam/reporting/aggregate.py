"""From the records of all jobs to the CSV files of a run."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pam.errors import DataError
from pam.files import read_json
from pam.reporting.run import Run
from pam.reporting.schema import (
    HEADLINE,
    MATCHED,
    MATCHED_SIZES,
    MEASURED,
    MEASUREMENTS,
    OPERATING_POINTS,
)
from pam.reporting.statistics.curves import families
from pam.reporting.statistics.headline import headline_rows
from pam.reporting.statistics.matched import DELTAS, Matches, matched_rows, matched_size_rows
from pam.reporting.statistics.operating_points import operating_point_rows
from pam.reporting.storage import write_rows

_RULES = ("prepare", "train", "merge", "relate", "prune", "measure", "analyse")
_NAMES = [table.name for table in MEASURED]
_AXES = ("experiment", "dataset", "architecture", "merging", "pruning", "seed")


def aggregate(
    records: Iterable[str | Path], folder: str | Path, deltas: Sequence[float] = DELTAS
) -> None:
    """Write every CSV file of a run into ``folder``.

    The rows of all records are put together and sorted, so the order of the records has no
    influence on a byte of the result. A record that is not ``ok`` becomes a row of
    ``failures.csv`` and, if it measured nothing, a row of ``measurements.csv`` with its status.
    Then come the files that are computed from those, see :func:`derive`.

    Args:
        records: JSON files of the jobs (``status``, ``reason``, ``rows``, ``provenance``).
        folder: where the CSV files go.
        deltas: percentage points of validation accuracy at which mergers are compared.

    Raises:
        DataError: if a record is damaged, or holds a row that does not fit its CSV file.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _NAMES}
    for path, record in sorted(map(_read, records), key=_order):
        for name, more in _rows_of(path, record).items():
            rows[name] += more
    rows["failures"] = _once(rows["failures"])
    for table in MEASURED:
        write_rows(folder, table, rows[table.name])
    # What follows reads the written files: rounded numbers, the same as any later reader sees.
    derive(folder, deltas)


def derive(folder: str | Path, deltas: Sequence[float] = DELTAS) -> None:
    """Write the CSV files that are computed from the measured ones in the same folder.

    These are matched.csv, matched_sizes.csv, operating_points.csv and headline.csv.

    Args:
        folder: where the CSV files lie and go.
        deltas: percentage points of validation accuracy at which mergers are compared.

    Raises:
        DataError: if a measured CSV file is missing or damaged.
    """
    run = Run(folder)
    curves = families(run)
    compared = [Matches(*one) for one in curves]
    write_rows(folder, MATCHED, matched_rows(compared, deltas))
    write_rows(folder, MATCHED_SIZES, matched_size_rows(compared, deltas))
    write_rows(folder, OPERATING_POINTS, operating_point_rows(curves, deltas))
    write_rows(folder, HEADLINE, headline_rows(run))


def _read(path: str | Path) -> tuple[Path, dict[str, Any]]:
    record = read_json(path)
    if not _is_record(record):
        raise DataError(f"{path} is not a record: it needs 'status' and 'rows'")
    return Path(path), record


def _order(read: tuple[Path, dict[str, Any]]) -> tuple[int, Path]:
    """Return what records are sorted by: the order in which a failure is passed on."""
    path, record = read
    rule = record.get("provenance", {}).get("rule")
    return _RULES.index(rule) if rule in _RULES else len(_RULES), path


def _rows_of(path: Path, record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of one record, with those that its failure adds."""
    rows = {name: list(more) for name, more in record["rows"].items()}
    for name, more in rows.items():
        _check(path, name, more)
    if record["status"] != "ok":
        failure, measurement = _failure_rows(path, record)
        rows["failures"] = [*rows.get("failures", []), failure]
        if path.parent.parent.name == "measured" and not rows.get("measurements"):
            rows["measurements"] = [measurement]
    return rows


def _is_record(record: Any) -> bool:
    """Tell whether a JSON value has the parts of a record, each of the type it should have."""
    if not isinstance(record, dict):
        return False
    kinds = {"status": str, "reason": str, "rows": dict, "provenance": dict}
    wrong = any(not isinstance(record.get(name, kind()), kind) for name, kind in kinds.items())
    if wrong or not {"status", "rows"} <= record.keys():
        return False
    lists = record["rows"].values()
    return all(isinstance(rows, list) and all(isinstance(r, dict) for r in rows) for rows in lists)


def _check(path: Path, name: str, rows: list[dict[str, Any]]) -> None:
    tables = {table.name: table for table in MEASURED}
    if name not in tables:
        raise DataError(f"{path} holds rows for '{name}', which is none of {', '.join(tables)}")
    for row in rows:
        try:
            tables[name].check(row)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error


def _failure_rows(path: Path, record: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of failures.csv and measurements.csv that stand for a failed job."""
    axes = _axes_of(path) | {k: v for k, v in record.get("provenance", {}).items() if k in _AXES}
    failure = {name: axes.get(name) for name in ("experiment", "merging", "pruning", "seed")}
    failure |= {"status": record["status"], "reason": record.get("reason", "")}
    failure |= {"log": record.get("provenance", {}).get("log", "")}
    measurement = dict.fromkeys(MEASUREMENTS.columns) | {name: axes.get(name) for name in _AXES}
    return failure, measurement | {"status": record["status"]}


def _once(failures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every failure once: jobs may tell of it word by word, the first one's log counts."""
    once: dict[tuple, dict[str, Any]] = {}
    for row in failures:
        once.setdefault(tuple(value for name, value in row.items() if name != "log"), row)
    return list(once.values())


def _axes_of(path: Path) -> dict[str, Any]:
    """Return the axes that the path of a record tells: ``.../<experiment>/<a>-<b>-<seed>.json``."""
    *names, seed = path.stem.split("-")
    axes: dict[str, Any] = {"experiment": path.parent.name, "seed": seed if seed.isdigit() else ""}
    if path.parent.parent.name in ("merged", "related", "pruned", "measured", "analysed"):
        axes |= dict(zip(("merging", "pruning"), names, strict=False))
    return axes
