"""What a run knows of its jobs: from the records beside the artefacts, or from the manifest."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pam.errors import DataError
from pam.files import read_json

RULES = ("prepare", "train", "merge", "relate", "prune", "measure", "analyse")
AXES = ("experiment", "task", "merging", "pruning", "seed")

Job = Mapping[str, Any]
"""Provenance of a job, with its ``status`` and ``reason``."""


class Run:
    """The folder of a run, ``results/<profile>``.

    Jobs are named by their record's path in there, e.g. ``merged/<experiment>/pam-0.json``.

    Args:
        folder: where the CSV files and ``manifest.json`` lie.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """What ``pam aggregate`` wrote down; empty where the run is not that far.

        Raises:
            DataError: if the file is damaged.
        """
        path = self.folder / "manifest.json"
        if not path.is_file():
            return {}
        said = read_json(path)
        if not isinstance(said, dict) or not isinstance(said.get("jobs"), dict):
            raise DataError(f"{path} is damaged: it names no jobs")
        return said

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The jobs behind the CSV files, by name."""
        return self.manifest.get("jobs", {})

    def job(self, name: str) -> Job | None:
        """Return what is known of a job: as the manifest says, else its record on disk."""
        return self.jobs.get(name) or self.recorded(name)

    def recorded(self, name: str) -> Job | None:
        """Return what the record on disk says of a job, None where there is none.

        Raises:
            DataError: if it is damaged.
        """
        path = self.folder / name
        if not path.is_file():
            return None
        record = read_json(path)
        if not isinstance(record, dict) or not isinstance(record.get("provenance"), dict):
            raise DataError(f"{path} is not the record of a job")
        return {
            "status": record.get("status"),
            "reason": record.get("reason", ""),
            **record["provenance"],
        }

    def maker(self, artefact: str, job: Job) -> str:
        """Return the name of the job that made a parent of ``job``.

        Args:
            artefact: the parent, as the record of ``job`` calls it: its path in the run, or only
                its file name in runs of older versions.
            job: the job that read it.
        """
        path = Path(artefact)
        if path.name == "dataset.json":
            return str(path.with_name("record.json"))
        if path.parent != Path():
            return str(path.with_suffix(".json"))
        stages = RULES[: RULES.index(job["rule"])]
        for name, other in self.jobs.items():
            same = other["experiment"] == job["experiment"] and Path(name).stem == path.stem
            if same and other["rule"] in stages:
                return name
        return artefact

    def parents(self, job: Job) -> list[str]:
        """Return the names of the jobs whose artefacts a job read, without those behind others."""
        makers = [self.maker(artefact, job) for artefact in job.get("parents", {})]
        behind: set[str] = set()
        for name in makers:
            behind |= self.ancestors(name)
        return [name for name in dict.fromkeys(makers) if name not in behind]

    def ancestors(self, name: str) -> set[str]:
        """Return the names of all jobs behind a job."""
        if name not in self._ancestors:
            job = self.job(name)
            makers = {self.maker(one, job) for one in job.get("parents", {})} if job else set()
            self._ancestors[name] = makers.union(*(self.ancestors(one) for one in makers))
        return self._ancestors[name]

    @cached_property
    def _ancestors(self) -> dict[str, set[str]]:
        return {}


class RunOnDisk(Run):
    """A run whose records count more than its manifest: what lies there now, aggregated or not."""

    def job(self, name: str) -> Job | None:
        """Return what is known of a job: as its record on disk says, else the manifest."""
        return self.recorded(name) or self.jobs.get(name)
