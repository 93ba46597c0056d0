"""Every path of a run, derived from the table of stages: for commands and wildcards alike."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pam.config import Config
from pam.errors import ConfigError
from pam.names import TASK_NAME
from pam.runs.cells import Cell, cells_of, parents_of
from pam.runs.stages import CELL_STAGES, CSV_FILES, STAGES
from pam.source.modules import PACKAGE, ROOT

PROFILES = "workflow/config"
NETWORK = ".safetensors"
RECORD = ".json"
DESCRIPTION = "dataset.json"
DATA_RECORD = "record.json"
ORIGINS = "origins.json"
"""Beside the tables, and beside the figures: file name -> what it is made from."""
REFERENCE = "reference"
"""The folder in ``results/`` and ``figures/`` of runs that are committed."""

PARTS = ("train", "validation", "test")


def profile_file(profile: str) -> str:
    """Return the configuration file of a profile, relative to the checkout.

    Raises:
        ConfigError: if the name is not one plain word: it also names folders of results.
    """
    if not re.fullmatch(TASK_NAME, profile):
        raise ConfigError(
            f"a profile is the name of a file in {PROFILES}/ without .yaml, not '{profile}'"
        )
    return f"{PROFILES}/{profile}.yaml"


def is_reference(folder: str | Path) -> bool:
    """Return whether a run is a committed one, in ``results/reference/``."""
    return Path(folder).resolve().parent.name == REFERENCE


def checkout() -> Path:
    """Return the folder of the Snakefile: the checkout, or its copy in an installed package."""
    copied = ROOT / PACKAGE / "checkout"
    return copied if copied.is_dir() else ROOT


def own_profile(profile: str) -> str:
    """Return the configuration file of a profile in the working folder; empty if there is none.

    Outside a checkout profiles may lie in ``config/`` as well, as Snakemake's workflows have it.
    """
    name = Path(profile_file(profile)).name
    places = (f"{folder}/{name}" for folder in (PROFILES, "config"))
    return next((path for path in places if os.path.isfile(path)), "")


def check_checkout(folder: str) -> None:
    """Refuse a folder whose name Snakemake fills in, or a search path takes apart.

    Raises:
        ConfigError: naming the letter.
    """
    if wrong := [letter for letter in "{}:" if letter in folder]:
        raise ConfigError(
            f"this checkout lies in {folder!r}, and Snakemake cannot work in a folder with "
            f"'{wrong[0]}' in its name; rename it"
        )


def run_of(path: str | Path) -> Path:
    """Return the folder of the run that the file of a cell lies in.

    A file that lies near the root has no run; the root stands for it.
    """
    folder = os.path.abspath(path)
    for _ in range(3):
        folder = os.path.dirname(folder)
    return Path(folder)


def path_in_run(path: str | Path, record: str | Path) -> str:
    """Return a path as seen from the folder of the run that a record lies in."""
    run = os.path.join(run_of(record), "")
    inside = os.path.abspath(path)
    return inside.removeprefix(run) if inside.startswith(run) else os.path.relpath(path, run)


def record_of(artefact: str | Path) -> str:
    """Return the record of the job that wrote an artefact, or the record itself."""
    path = Path(artefact)
    if path.name == DESCRIPTION:
        return str(path.with_name(DATA_RECORD))
    return str(path.with_suffix(RECORD))


@dataclass(frozen=True)
class Paths:
    """The files below ``results/<profile>/``.

    Attributes:
        results: the folder of the run.
    """

    results: str

    @property
    def profile(self) -> str:
        """The name of the run."""
        return Path(self.results).name

    def record(self, cell: Cell) -> str:
        """Return the record of a cell's job; of a stage of the whole run, what it writes last."""
        if cell.stage == "aggregate":
            return self.manifest
        if not cell.experiment:
            return f"{self.results}/tables" if cell.stage == "tables" else self.figures
        return self._file(cell, DATA_RECORD, RECORD)

    def artefact(self, cell: Cell) -> str:
        """Return what other stages read of a cell: network, data set, or else the record."""
        suffix = STAGES[cell.stage].suffix
        return self._file(cell, DESCRIPTION, suffix) if suffix else self.record(cell)

    def folder(self, cell: Cell) -> str:
        """Return the folder of a cell's files, of a data set the one that is the data set."""
        return str(Path(self.record(cell)).parent)

    def outputs(self, cell: Cell) -> list[str]:
        """Return all files of a cell, the record last."""
        if not STAGES[cell.stage].axes and cell.experiment:
            tensors = [f"{self.folder(cell)}/{part}{NETWORK}" for part in PARTS]
            return [*tensors, self.artefact(cell), self.record(cell)]
        csv_files = map(self.csv, CSV_FILES) if cell.stage == "aggregate" else ()
        return list(dict.fromkeys([*csv_files, self.artefact(cell), self.record(cell)]))

    def inputs(self, config: Config, cell: Cell) -> dict[str, list[str]]:
        """Return flag of the command -> the files that a cell reads."""
        return {
            flag: [self.artefact(parent) for parent in parents]
            for flag, parents in parents_of(config, cell).items()
        }

    def csv(self, name: str) -> str:
        """Return a CSV file of the run."""
        return f"{self.results}/{name}.csv"

    @property
    def manifest(self) -> str:
        """Versions, hashes and hardware of the run."""
        return f"{self.results}/manifest.json"

    @property
    def figures(self) -> str:
        """Folder of the figures."""
        return f"figures/{self.profile}"

    def log(self, cell: Cell) -> str:
        """Return the file that keeps what the job of a cell prints."""
        return f"logs/{self.profile}/{cell.stage}/{self.name(cell)}.log"

    def name(self, cell: Cell) -> str:
        """Return a cell's name within its stage: ``<experiment>/<axis>-<axis>``."""
        experiment, *values = map(str, cell.axes.values()) if cell.experiment else [cell.stage]
        return "/".join(filter(None, [experiment, "-".join(values)]))

    def records(self, config: Config) -> list[str]:
        """Return the record of every cell that has one, in order."""
        return [self.record(cell) for stage in CELL_STAGES for cell in cells_of(config, stage)]

    def _file(self, cell: Cell, of_data: str, suffix: str) -> str:
        folder = f"{self.results}/{STAGES[cell.stage].folder}"
        if not STAGES[cell.stage].axes:
            return f"{folder}/{cell.experiment}/{of_data}"
        return f"{folder}/{self.name(cell)}{suffix}"
