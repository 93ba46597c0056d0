"""The runs that the page is made of: folders of CSV files with a manifest."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from pam.errors import DataError
from pam.reporting.manifest import Environment, Manifest, read_manifest
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import OK
from pam.reporting.storage import experiments, read_table
from pam.reporting.tables.text_table import TextTable


@dataclass(frozen=True)
class Reference:
    """One run.

    Attributes:
        folder: where its CSV files and its manifest lie; named after the run's profile.
    """

    folder: Path

    @property
    def profile(self) -> str:
        """Name of the configuration."""
        return self.folder.resolve().name

    @cached_property
    def measured(self) -> pd.DataFrame:
        """The rows of ``measurements.csv``."""
        return read_table(self.folder, "measurements")

    @cached_property
    def manifest(self) -> Manifest:
        """Versions, configuration, and status and origin of every job."""
        return read_manifest(self.folder)

    def settings(self) -> list[tuple[str, str, str]]:
        """Return (experiment, dataset, architecture) of everything that was measured."""
        rows = select(self.measured, status=OK)[["experiment", "dataset", "architecture"]]
        return sorted(set(rows.itertuples(index=False, name=None)))

    def experiments(self, dataset: str, architecture: str) -> list[str]:
        """Return the experiments measured on a data set with an architecture."""
        wanted = (dataset, architecture)
        return [name for name, *setting in self.settings() if tuple(setting) == wanted]


def read_references(folders: Iterable[str | Path]) -> list[Reference]:
    """Return the runs in folders, sorted by name.

    Raises:
        DataError: if a folder holds no run, or two runs have one name.
    """
    references = sorted((Reference(Path(folder)) for folder in folders), key=lambda r: r.profile)
    for reference in references:
        if not (reference.folder / "measurements.csv").is_file():
            raise DataError(f"{reference.folder} holds no run: measurements.csv is not there")
    names = [reference.profile for reference in references]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"two of the runs are called '{name}'")
    return references


def runs_table(references: list[Reference]) -> TextTable:
    """Return what ran where: experiments, seeds, hardware, commit and hours of computing."""
    header = ["profile", "experiments", "seeds", "hardware", "commit", "hours"]
    rows = [
        [
            f"`{reference.profile}`",
            ", ".join(experiments(reference.folder)),
            ", ".join(map(str, reference.manifest.config.get("seeds") or [])),
            "; ".join(_hardware(reference.manifest)),
            _commit(reference.manifest),
            f"{read_table(reference.folder, 'resources')['wall_s'].sum() / 3600:.1f}",
        ]
        for reference in references
    ]
    return TextTable("Runs", header, rows, 5, notes=["hours: of all jobs, one after another"])


def _environments(manifest: Manifest) -> list[Environment]:
    return [job.environment for job in manifest.jobs.values()]


def _hardware(manifest: Manifest) -> list[str]:
    """Return the machines that jobs ran on, each once."""
    machines = {(found.cpu, found.cores, found.device) for found in _environments(manifest)}
    return sorted(
        f"{cpu}, {cores} cores" + ("" if device in ("cpu", None) else f", {device}")
        for cpu, cores, device in machines
    )


def _commit(manifest: Manifest) -> str:
    """Return the commits that jobs ran from, short; ``+`` where files were changed."""
    states = {
        (found.git.commit[:7], found.git.dirty)
        for found in _environments(manifest)
        if found.git and found.git.commit
    }
    return ", ".join(sorted(commit + "+" * dirty for commit, dirty in states)) or "not known"
