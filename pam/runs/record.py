"""The record of a job, and the manifest of a run: what came of it, and all that is behind it."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pam.errors import DataError
from pam.files import read_json

OK = "ok"
MANIFEST = "manifest.json"


class Part(BaseModel):
    """A part of a file of a run: what is not named may be there too, and is kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


_Model = TypeVar("_Model", bound=Part)


class Git(Part):
    """State of the sources; ``dirty`` if they differed from the commit."""

    commit: str | None = None
    dirty: bool = False


class Environment(Part):
    """A machine and what was installed on it."""

    host: str | None = None
    cpu: str | None = None
    cores: int | None = None
    device: str | None = None
    platform: str | None = None
    python: str | None = None
    packages: dict[str, str | None] = {}
    git: Git | None = None


class Provenance(Part):
    """What is behind the result of a job; times are UTC, ISO 8601.

    Attributes:
        rule: the stage.
        config: the slice of the configuration that the result depends on.
        artefacts: path within the run -> hash of what was written; the record's own too.
        parents: the same of what was read.
    """

    rule: str = ""
    experiment: str = ""
    config: dict[str, Any] = {}
    config_hash: str = ""
    code_hash: str = ""
    data_hash: str = ""
    artefacts: dict[str, str] = {}
    parents: dict[str, str] = {}
    environment: Environment = Environment()
    started: str = ""
    ended: str = ""
    log: str = ""

    def axis(self, name: str) -> Any:
        """Return the job's value on an axis, None if it has none."""
        return (self.model_extra or {}).get(name)


class Record(Part):
    """What a job leaves beside its artefact.

    Attributes:
        status: ``"ok"``, or how the cell failed.
        reason: why it failed, in one sentence.
        rows: CSV file -> rows.
    """

    status: str
    reason: str
    rows: dict[str, list[dict[str, Any]]]
    provenance: Provenance


class JobRecord(Provenance):
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
    jobs: dict[str, JobRecord]
    csv: dict[str, str] = Field(default_factory=dict)
    code_hash: str = ""
    aggregated_on: Environment = Environment()


def read_record(path: str | Path) -> Record:
    """Return the record of a job.

    Raises:
        DataError: if it is missing, damaged, or not a record.
    """
    return _read(Path(path), Record)


def read_manifest(results: str | Path) -> Manifest:
    """Return the manifest of a run.

    Raises:
        DataError: if it is missing, damaged, or not a manifest.
    """
    return _read(Path(results) / MANIFEST, Manifest)


def _read(path: Path, model: type[_Model]) -> _Model:
    try:
        return model.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        kind = model.__name__.lower()
        raise DataError(f"{path} is no {kind}: {where}: {first['msg']}") from error
