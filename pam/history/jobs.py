"""From rows of CSV files to the jobs behind them, and from a job to those before it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from pam.errors import ConfigError, DataError
from pam.reporting.statistics.matched import REFERENCES
from pam.runs.paths import record_of
from pam.runs.record import MANIFEST, OK, JobRecord, Manifest, read_manifest, read_record
from pam.runs.stages import AXES, CELL_STAGES, stages_of_table

_AXIS_COLUMNS = [axis.column or name for name, axis in AXES.items()]
COLUMNS = tuple(dict.fromkeys(["experiment", *_AXIS_COLUMNS, "rule"]))
"""The columns of CSV files that tell jobs apart."""


class Run:
    """The folder of a run; its jobs are called by their record's path in there.

    Args:
        folder: where the CSV files and the manifest lie; without a manifest only records on disk
            are known.
        newest: whether a record on disk counts more than the manifest, which tells of the jobs
            behind the CSV files.

    Raises:
        DataError: if the manifest is damaged.
    """

    def __init__(self, folder: str | Path, newest: bool = False) -> None:
        self.folder = Path(folder)
        is_aggregated = (self.folder / MANIFEST).is_file()
        self.manifest = read_manifest(folder) if is_aggregated else Manifest(config={}, jobs={})
        self._newest = newest

    def job(self, name: str) -> JobRecord | None:
        """Return what is known of a job, None if nothing is.

        Raises:
            DataError: if its record is damaged.
        """
        listed, path = self.manifest.jobs.get(name), self.folder / name
        if path.is_file() and (self._newest or not listed):
            record = read_record(path)
            facts = record.provenance.model_dump()
            return JobRecord.model_validate(
                facts | {"status": record.status, "reason": record.reason}
            )
        return listed

    def parents(self, job: JobRecord) -> list[str]:
        """Return the jobs that wrote what a job read, those of later stages first."""
        names = sorted({record_of(path) for path in job.parents})
        return sorted(names, key=lambda name: rank(self.job(name)), reverse=True)

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """Return all jobs before some."""
        known: set[str] = set()
        due = list(names)
        while due:
            job = self.job(due.pop())
            new = {record_of(path) for path in job.parents} - known if job else set()
            known |= new
            due += new
        return known


def rank(job: JobRecord | None) -> int:
    """Return a job's place among the stages; -1 if it is of none that is known."""
    return CELL_STAGES.index(job.rule) if job and job.rule in CELL_STAGES else -1


def select_rows(path: Path, row: int | None, where: Mapping[str, str]) -> pd.DataFrame:
    """Return rows of a CSV file as text, indexed by their number; row 1 follows the header.

    Args:
        path: of the file.
        row: number of the one row, or None for all.
        where: column -> value; numbers are compared as numbers.

    Raises:
        ConfigError: if there is no such row or column.
        DataError: if the file is damaged.
    """
    try:
        # Only an empty cell means "none": a task may well be called NA.
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is damaged or not CSV: {error}") from error
    if "experiment" not in frame.columns:
        raise DataError(f"{path} is not of a run: it has no column 'experiment'")
    frame.index += 1
    if row is not None:
        if row not in frame.index:
            rows = f"the rows 1 to {len(frame)}" if len(frame) else "no rows"
            raise ConfigError(f"{path.name} has {rows}, and no row {row}")
        frame = frame.loc[[row]]
    for column, value in where.items():
        if column not in frame.columns:
            raise ConfigError(f"{path.name} has no column '{column}'")
        number = pd.to_numeric(pd.Series([value]), errors="coerce")[0]
        numbers = pd.to_numeric(frame[column], errors="coerce")
        frame = frame[(frame[column] == value) | (numbers == number)]
    if frame.empty and where:
        wanted = " ".join(f"{column}={value}" for column, value in where.items())
        raise ConfigError(f"{path.name} has no row with {wanted}")
    return frame


def jobs_behind(run: Run, tables: Sequence[str], rows: pd.DataFrame) -> list[str]:
    """Return the jobs that rows come from, in the manifest's order.

    Args:
        run: the run.
        tables: the CSV files that hold the rows, or from which they are computed.
        rows: with any of :data:`COLUMNS`, as text.
    """
    measured = [table for table in tables if table != "failures"]
    stages = {stage for table in measured or tables for stage in stages_of_table(table)}
    columns = [column for column in COLUMNS if column in rows.columns]
    cells = rows[columns].drop_duplicates()
    if any("_vs_" in column or column == "against" for column in rows.columns):
        # Their numbers are, or may be, ratios to the baselines.
        cells = pd.concat([cells, *(cells.assign(merging=name) for name in REFERENCES)])
    if "task" in columns:
        # A row of a merged or pruned network may be of one of its tasks.
        cells = pd.concat([cells, cells.assign(task="")])
    wanted = set(cells.itertuples(index=False, name=None))
    return [
        name
        for name, job in run.manifest.jobs.items()
        if job.rule in stages
        and (measured or job.status != OK)
        and tuple(str(getattr(job, column, "")) for column in columns) in wanted
    ]
