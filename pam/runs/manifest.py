"""The manifest of a run: what its jobs were, where they ran, and on what they rest."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from pam.errors import DataError
from pam.files import read_json
from pam.runs.record import OK, Environment, Part, Provenance, first_problem

MANIFEST = "manifest.json"


class Job(Provenance):
    """What is behind a job's result, and what came of it."""

    status: str = OK
    reason: str = ""
    seeds: dict[str, int] = Field(default_factory=dict)
    threads: int | None = None
    device: str = ""
    command: str = ""


class Manifest(Part):
    """What a run consists of; jobs by their record's path in the run."""

    config: dict[str, Any]
    jobs: dict[str, Job]
    csv: dict[str, str] = Field(default_factory=dict)
    code_hash: str = ""
    aggregated_on: Environment = Environment()


def read_manifest(results: str | Path) -> Manifest:
    """Return the manifest of a run.

    Raises:
        DataError: if it is missing, damaged, or not a manifest.
    """
    path = Path(results) / MANIFEST
    try:
        return Manifest.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(f"{path} is no manifest: {first_problem(error)}") from error
