"""From the records of all jobs to the CSV files of a run."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pam.errors import DataError
from pam.files import write_text
from pam.reporting.names import Names
from pam.reporting.run import Run
from pam.reporting.schema import (
    FRONTIERS,
    HEADLINE,
    MATCHED,
    MEASURED,
    MEASUREMENTS,
    OPERATING_POINTS,
    REQUESTS,
)
from pam.reporting.statistics.matched import (
    DELTAS,
    comparisons,
    headline_rows,
    matched_rows,
    request_rows,
)
from pam.reporting.statistics.operating_points import operating_point_rows
from pam.reporting.statistics.points import pruned_networks
from pam.reporting.storage import FAILED, check_row, csv_text, write_rows
from pam.runs.record import MANIFEST, OK, Record, read_record
from pam.runs.stages import CELL_STAGES

_TABLES = {table.name: table for table in MEASURED}
_AXES = ("experiment", "dataset", "architecture", "merging", "pruning", "seed")


def aggregate(
    records: Iterable[str | Path],
    folder: str | Path,
    deltas: Sequence[float] = DELTAS,
    config: Mapping[str, Any] | None = None,
) -> dict[Path, Record]:
    """Write every CSV file of a run into ``folder``, and return the records by path.

    The rows of all records are put together and sorted, so the order of the records has no
    influence on a byte of the result. A record that is not ``ok`` becomes a row of
    ``failures.csv`` and, if it should have measured a cell but did not, a row of
    ``measurements.csv`` with its status.
    Then come the files that are computed from those, see :func:`derive`. A manifest in ``folder``
    is removed once all records are known to be good: it does not vouch for what is written then.

    Raises:
        DataError: if a record is damaged, or holds a row that does not fit its CSV file.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
    contents = {Path(path): read_record(path) for path in records}
    for path, record in sorted(contents.items(), key=_order):
        _check(path, record)
        for name, more in (record.rows | _failure_rows(record)).items():
            rows[name] += more
    # Jobs may pass a failure on word by word; the first one's log counts.
    once: dict[tuple, dict[str, Any]] = {}
    for row in rows["failures"]:
        once.setdefault(tuple(value for name, value in row.items() if name != "log"), row)
    rows["failures"] = list(once.values())
    texts = {name: csv_text(table, rows[name]) for name, table in _TABLES.items()}
    (Path(folder) / MANIFEST).unlink(missing_ok=True)
    for name, text in texts.items():
        write_text(Path(folder) / f"{name}.csv", text)
    # What follows reads the written files: rounded numbers, the same as any later reader sees.
    derive(folder, deltas, config)
    return contents


def derive(
    folder: str | Path, deltas: Sequence[float] = DELTAS, config: Mapping[str, Any] | None = None
) -> None:
    """Write the CSV files that are computed from the measured ones in the same folder."""
    run, names = Run(folder), Names(config)
    networks = pruned_networks(run)
    compared = comparisons(networks, names.beside, deltas)
    requests = (config or {}).get("requests", {})
    write_rows(folder, MATCHED, matched_rows(compared))
    write_rows(folder, REQUESTS, request_rows(compared, requests))
    frontiers = (row for one in compared for row in one.frontier_rows(requests))
    write_rows(folder, FRONTIERS, frontiers)
    write_rows(folder, OPERATING_POINTS, operating_point_rows(networks, deltas))
    # From matched.csv as it was written above.
    write_rows(folder, HEADLINE, headline_rows(run, names))


def _order(read: tuple[Path, Record]) -> tuple[int, Path]:
    """Return what records are sorted by: the order in which a failure is passed on."""
    path, record = read
    rule = record.provenance.rule
    return CELL_STAGES.index(rule) if rule in CELL_STAGES else len(CELL_STAGES), path


def _check(path: Path, record: Record) -> None:
    if record.status not in FAILED | {OK}:
        raise DataError(f"{path} has the unknown status '{record.status}'")
    axes = record.provenance.model_dump(include={"experiment"}) | (
        record.provenance.model_extra or {}
    )
    for name, rows in record.rows.items():
        if name not in _TABLES:
            known = ", ".join(_TABLES)
            raise DataError(f"{path} holds rows for '{name}', which is none of {known}")
        for row in rows:
            try:
                check_row(_TABLES[name], row, axes)
            except DataError as error:
                raise DataError(f"{path}: {error}") from error


def _failure_rows(record: Record) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of failures.csv and measurements.csv of a failed job; else none."""
    if record.status == OK:
        return {}
    axes, status = record.provenance.model_dump(), {"status": record.status}
    failure = {name: axes.get(name) for name in ("experiment", "merging", "pruning", "seed")}
    failure |= status | {"reason": record.reason, "log": axes.get("log", "")}
    rows = {"failures": [*record.rows.get("failures", []), failure]}
    if axes.get("rule") == "measure" and not record.rows.get("measurements"):
        cell = dict.fromkeys(MEASUREMENTS.columns) | {name: axes.get(name) for name in _AXES}
        rows["measurements"] = [cell | status]
    return rows
