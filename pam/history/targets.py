"""What a user points at (figure, table, CSV file, network, record), and the jobs behind it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
from pydantic import ValidationError

from pam.errors import ConfigError, DataError
from pam.files import read_json, read_meta
from pam.names import check_known
from pam.reporting.figures import sources_of
from pam.reporting.names import Names
from pam.reporting.schema import TABLES
from pam.reporting.statistics.matched import REFERENCES
from pam.reporting.storage import read_texts
from pam.reporting.tables import SOURCES
from pam.runs.origins import Origin, read_origins
from pam.runs.paths import (
    DATA_RECORD,
    DESCRIPTION,
    NETWORK,
    ORIGINS,
    RECORD,
    Paths,
    record_of,
    run_of,
)
from pam.runs.record import MANIFEST, OK, JobRecord, Manifest, read_manifest, read_record
from pam.runs.stages import AXES, CELL_STAGES, STAGES, stages_of_table

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
    """

    def __init__(self, folder: str | Path, newest: bool = False) -> None:
        self.folder = Path(folder)
        is_aggregated = (self.folder / MANIFEST).is_file()
        nothing = Manifest(config={}, jobs={}, seal="")
        self.manifest = read_manifest(folder) if is_aggregated else nothing
        self._newest = newest

    def job(self, name: str) -> JobRecord | None:
        """Return what is known of a job, None if nothing is."""
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
    frame = read_texts(path)
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
    """Return the jobs behind rows of some tables, or what is computed from them, in order."""
    measured = [table for table in tables if table != "failures"]
    stages = {stage for table in measured or tables for stage in stages_of_table(table)}
    columns = [column for column in COLUMNS if column in rows.columns]
    cells = rows[columns].drop_duplicates()
    if any("_vs_" in column or column == "against" for column in rows.columns):
        # Their numbers are, or may be, ratios to the baselines.
        cells = pd.concat([cells, *_baselines(run, cells)])
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


def _baselines(run: Run, cells: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the cells of B1 and B2 that some cells are compared with."""
    if "pruning" in cells:
        config = run.manifest.config
        names, sections = Names(config), config.get("experiments", {})
        rows = (sections.get(name, {}).get("pruning", ()) for name in cells["experiment"])
        beside = map(names.beside, cells["pruning"], rows)
        cells = cells.assign(pruning=list(beside))
    return [cells.assign(merging=name) for name in REFERENCES]


_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


@dataclass(frozen=True)
class Target:
    """What is traced.

    Attributes:
        kind: ``"figure"``, ``"table"``, ``"csv"`` or ``"job"``.
        path: the file.
        run: the run it belongs to.
        name: of the figure, the table, the CSV file or the job.
        sources: names of the CSV files that it is made from.
        experiment: what a figure or table shows.
        origin: what a figure or table carries with it; without rows if it carries nothing.
        sha256: what a figure or table had when it was made; empty if nothing tells.
    """

    kind: str
    path: Path
    run: Run
    name: str
    sources: tuple[str, ...] = ()
    experiment: str = ""
    origin: Origin = field(default_factory=Origin)
    sha256: str = ""


def resolve(path: str | Path, results: str | Path | None = None) -> Target:
    """Return what a path points at, in the run that it belongs to unless ``results`` names one.

    Raises:
        ConfigError: if the path is of nothing that can be traced.
        DataError: if the file is missing or damaged.
    """
    path = Path(path)
    if not path.is_file():
        there = "is no file" if os.path.lexists(path) else "does not exist"
        raise DataError(f"{path} {there}")
    folder = path.absolute().parent
    if path.suffix in (".png", ".svg"):
        return _drawing("figure", path, Run(results or _run_of_figure(path)), _description(path))
    if folder.name == STAGES["tables"].folder and path.suffix in (".md", ".tex", ".csv"):
        run, beside = Run(results or os.path.relpath(folder.parent)), path.with_name(ORIGINS)
        origins = read_origins(folder) if beside.is_file() else {}
        return _drawing("table", path, run, origins.get(path.stem, Origin()))
    if path.suffix == ".csv" and path.stem in TABLES:
        return Target("csv", path, Run(results or path.parent), path.stem, (path.stem,))
    if path.suffix == NETWORK or (path.suffix == RECORD and _is_of_job(path)):
        return _file_of_job(path, results)
    raise ConfigError(f"{path} is no figure, table or CSV file of a run, and no network or record")


def _is_of_job(path: Path) -> bool:
    """Tell whether a JSON file may be a record, or the description of a data set."""
    content = read_json(path)
    return path.name == DESCRIPTION or (isinstance(content, dict) and "provenance" in content)


def _run_of_figure(path: Path) -> Path:
    """Return ``results/x`` for ``figures/x/name.png``."""
    parts = list(path.parent.parts)
    if "figures" not in parts:
        raise ConfigError(f"{path} is not in a folder figures/; name its run with --results")
    parts[len(parts) - 1 - parts[::-1].index("figures")] = "results"
    return Path(*parts)


def _description(path: Path) -> Origin:
    """Return what a picture carries with it; nothing if it carries nothing of ours."""
    try:
        if path.suffix == ".svg":
            text = ElementTree.parse(path).findtext(f".//{_DESCRIPTION}")
        else:
            from PIL import Image

            with Image.open(path) as picture:
                text = picture.info.get("Description")
    except Exception as error:  # Decoders raise whatever damaged bytes lead them to.
        raise DataError(
            f"{path} is damaged or no picture: {error}; pam figures draws those of a run again"
        ) from error
    try:
        origin = Origin.model_validate_json(text)
    except ValidationError:
        return Origin()
    return origin if origin.csv else Origin()


def _drawing(kind: str, path: Path, run: Run, origin: Origin) -> Target:
    experiment, _, name = path.stem.rpartition("-")
    known = list(run.manifest.config.get("experiments", {}))
    if not known:
        raise DataError(f"{run.folder} has no manifest.json; name the run with --results")
    if not experiment and len(known) == 1:
        experiment = known[0]
    name, experiment = getattr(origin, kind, name), getattr(origin, "experiment", experiment)
    if experiment not in known:
        raise DataError(f"{path} shows no experiment of {run.folder}: {', '.join(known)}")
    if origin.csv:
        sources = tuple(origin.csv)
    elif kind == "figure":
        sources = sources_of(name)
    else:
        check_known("table", name, SOURCES)
        sources = SOURCES[name]
    folder = Paths(str(run.folder)).figures if kind == "figure" else run.folder / "tables"
    return Target(kind, path, run, name, sources, experiment, origin, _noted(path, folder))


def _noted(path: Path, folder: str | Path) -> str:
    """Return the sha256 of a figure or table as it was made, noted beside it or in its run."""
    for place in (path.parent, Path(folder)):
        known = read_origins(place) if (place / ORIGINS).is_file() else {}
        if path.stem in known:
            return known[path.stem].files.get(path.name, "")
    return ""


def _file_of_job(path: Path, results: str | Path | None) -> Target:
    """Return the job of a file in its run's folder, or of a network that was taken away."""
    file = path.resolve()
    run = Run(results or os.path.relpath(run_of(file)), newest=True)
    if file.is_relative_to(run.folder.resolve()):
        inside = file.relative_to(run.folder.resolve())
        is_data = inside.parts[0] == STAGES["prepare"].folder
        name = str(inside.with_name(DATA_RECORD)) if is_data else record_of(inside)
        if run.job(name):
            return Target("job", path, run, name)
    if not results:
        raise DataError(f"{path} lies in no run that is known; name its run with --results")
    label = (read_meta(path).get("origin") or {}) if path.suffix == NETWORK else {}
    for name, job in run.manifest.jobs.items():
        if label and all(getattr(job, axis, None) == label.get(axis) for axis in COLUMNS):
            return Target("job", path, run, name)
    raise DataError(f"{path} is of no job of {run.folder}")
