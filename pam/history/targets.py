"""What a user points at: a figure, a table, a CSV file, a network or a record."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pam.errors import ConfigError, DataError
from pam.files import read_json, read_meta
from pam.history.jobs import COLUMNS, Run
from pam.names import check_known
from pam.reporting.figures import sources_of
from pam.reporting.schema import TABLES
from pam.reporting.tables.render import SOURCES
from pam.runs.paths import DATA_RECORD, NETWORK, ORIGINS, RECORD, record_of, run_of
from pam.runs.stages import STAGES

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
        origin: what a figure or table carries with it; empty if it carries nothing.
    """

    kind: str
    path: Path
    run: Run
    name: str
    sources: tuple[str, ...] = ()
    experiment: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)


def resolve(path: str | Path, results: str | Path | None = None) -> Target:
    """Return what a path points at.

    Args:
        path: a file.
        results: folder of the run; by default the one that the path belongs to.

    Raises:
        ConfigError: if the path is of nothing that can be traced.
        DataError: if the file is missing or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist")
    folder = path.absolute().parent
    if path.suffix in (".png", ".svg"):
        return _drawing("figure", path, Run(results or _run_of_figure(path)), _description(path))
    if folder.name == STAGES["tables"].folder and path.suffix in (".md", ".tex", ".csv"):
        run, beside = Run(results or os.path.relpath(folder.parent)), path.with_name(ORIGINS)
        origins = read_json(beside) if beside.is_file() else {}
        return _drawing("table", path, run, origins.get(path.stem, {}))
    if path.suffix == ".csv" and path.stem in TABLES:
        return Target("csv", path, Run(results or path.parent), path.stem, (path.stem,))
    if path.suffix in (NETWORK, RECORD):
        return _file_of_job(path, results)
    raise ConfigError(f"{path} is no figure, table or CSV file of a run, and no network or record")


def _run_of_figure(path: Path) -> Path:
    """Return ``results/x`` for ``figures/x/name.png``."""
    parts = list(path.parent.parts)
    if "figures" not in parts:
        raise ConfigError(f"{path} is not in a folder figures/; name its run with --results")
    parts[len(parts) - 1 - parts[::-1].index("figures")] = "results"
    return Path(*parts)


def _description(path: Path) -> dict[str, Any]:
    """Return what a picture carries with it; nothing if it carries nothing of ours.

    Raises:
        DataError: if it is no picture.
    """
    try:
        if path.suffix == ".svg":
            text = ElementTree.parse(path).findtext(f".//{_DESCRIPTION}")
        else:
            from PIL import Image

            with Image.open(path) as picture:
                text = picture.info.get("Description")
    except (OSError, SyntaxError) as error:
        raise DataError(f"{path} is damaged or no picture: {error}") from error
    with suppress(TypeError, ValueError, RecursionError):
        origin = json.loads(text)
        return origin if isinstance(origin, dict) and "csv" in origin else {}
    return {}


def _drawing(kind: str, path: Path, run: Run, origin: Mapping[str, Any]) -> Target:
    experiment, _, name = path.stem.rpartition("-")
    known = list(run.manifest.config.get("experiments", {}))
    if not known:
        raise DataError(f"{run.folder} has no manifest.json; name the run with --results")
    if not experiment and len(known) == 1:
        experiment = known[0]
    name, experiment = origin.get(kind, name), origin.get("experiment", experiment)
    if experiment not in known:
        raise DataError(f"{path} shows no experiment of {run.folder}: {', '.join(known)}")
    if origin:
        sources = tuple(origin["csv"])
    elif kind == "figure":
        sources = sources_of(name)
    else:
        check_known("table", name, SOURCES)
        sources = SOURCES[name]
    return Target(kind, path, run, name, sources, experiment, origin)


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
