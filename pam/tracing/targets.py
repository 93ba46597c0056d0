"""What a user points at: a figure, a table, a CSV file, a network or a record."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pam.config.paths import run_of
from pam.errors import ConfigError, DataError
from pam.files import read_json, read_meta
from pam.reporting.figures import sources_of
from pam.reporting.schema import TABLES
from pam.reporting.tables.render import ORIGINS
from pam.reporting.tables.render import SOURCES as TABLE_SOURCES
from pam.tracing.runs import AXES, Run, RunOnDisk

_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
PICTURES = (".png", ".svg")
TEXTS = (".md", ".tex", ".csv")


@dataclass(frozen=True)
class Target:
    """What is traced.

    Attributes:
        kind: ``"figure"``, ``"table"``, ``"csv"`` or ``"job"``.
        path: the file.
        run: the run it belongs to.
        name: of the figure, the table, the CSV file or the job.
        experiment: what a figure or table shows.
        origin: what a figure or table carries with it; empty if it carries nothing.
    """

    kind: str
    path: Path
    run: Run
    name: str
    experiment: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the CSV files that a figure or table is made from."""
        if self.origin:
            return tuple(self.origin["csv"])
        return sources_of(self.name) if self.kind == "figure" else TABLE_SOURCES[self.name]


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
    if path.suffix in PICTURES:
        return _shown("figure", path, Run(results or _run_of_figure(path)), _said_in(path))
    if path.suffix in TEXTS and path.resolve().parent.name == "tables":
        return _table(path, Run(results or path.resolve().parent.parent))
    if path.suffix == ".csv" and path.stem in TABLES:
        return Target("csv", path, Run(results or path.parent), path.stem)
    if path.suffix in (".safetensors", ".json") and len(path.resolve().parents) > 2:
        return _artefact(path, RunOnDisk(results) if results else None)
    raise ConfigError(f"{path} is no figure, table or CSV file of a run, and no network or record")


def _run_of_figure(path: Path) -> Path:
    """Return ``results/x`` for ``figures/x/name.png``."""
    parts = list(path.parent.parts)
    if "figures" not in parts:
        raise ConfigError(f"{path} is not in a folder figures/; name its run with --results")
    parts[len(parts) - 1 - parts[::-1].index("figures")] = "results"
    return Path(*parts)


def _said_in(path: Path) -> dict[str, Any]:
    """Return what a picture carries with it; nothing if it carries nothing of ours.

    Raises:
        DataError: if it is no picture.
    """
    try:
        if path.suffix == ".svg":
            found = ElementTree.parse(path).find(f".//{_DESCRIPTION}")
            text = "" if found is None else found.text
        else:
            from PIL import Image

            with Image.open(path) as picture:
                text = picture.info.get("Description", "")
    except (OSError, SyntaxError) as error:
        raise DataError(f"{path} is damaged or no picture: {error}") from error
    with suppress(TypeError, ValueError):
        said = json.loads(text)
        return said if isinstance(said, dict) and "csv" in said else {}
    return {}


def _table(path: Path, run: Run) -> Target:
    origins = path.parent / ORIGINS
    said = read_json(origins) if origins.is_file() else {}
    return _shown("table", path, run, said.get(path.stem, {}))


def _shown(kind: str, path: Path, run: Run, origin: Mapping[str, Any]) -> Target:
    experiment, _, name = path.stem.rpartition("-")
    name = origin.get(kind, name)
    experiments = list(run.manifest.get("config", {}).get("experiments", {}))
    if not experiment and len(experiments) == 1:
        experiment = experiments[0]
    experiment = origin.get("experiment", experiment)
    if not run.jobs:
        raise DataError(f"{run.folder}/manifest.json does not exist; name the run with --results")
    if experiment not in experiments:
        raise DataError(f"{path} shows no experiment of {run.folder}: {', '.join(experiments)}")
    if kind == "table" and name not in TABLE_SOURCES:
        raise ConfigError(f"{path} is no table; known: {', '.join(TABLE_SOURCES)}")
    if kind == "figure":
        sources_of(name)
    return Target(kind, path, run, name, experiment, origin)


def _artefact(path: Path, run: Run | None) -> Target:
    """Return the job of a file in its run's folder, or of a network that was taken away."""
    home = run or RunOnDisk(os.path.relpath(run_of(path.resolve())))
    if path.resolve().is_relative_to(home.folder.resolve()):
        where = path.resolve().relative_to(home.folder.resolve())
        record = where.with_name("record.json") if where.parts[0] == "data" else where
        name = str(record.with_suffix(".json"))
        if home.job(name):
            return Target("job", path, home, name)
    if run is None:
        raise DataError(f"{path} lies in no run that is known; name its run with --results")
    label = _label(path)
    for name, job in run.jobs.items():
        if label and all(job.get(axis) == label.get(axis) for axis in (*AXES, "rule")):
            return Target("job", path, run, name)
    raise DataError(f"{path} is of no job of {run.folder}")


def _label(path: Path) -> Mapping[str, Any]:
    """Return what a file of tensors says of the cell that it belongs to, nothing for others."""
    if path.suffix != ".safetensors":
        return {}
    return read_meta(path).get("origin") or {}
