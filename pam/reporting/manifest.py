"""The manifest and the records of a run, checked: its jobs, where they ran, what they measured."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pam.errors import DataError
from pam.files import read_json

MANIFEST = "manifest.json"


class _Part(BaseModel):
    """A part of a file: what is not named here may be there too."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Git(_Part):
    """State of the sources; ``dirty`` if they differed from the commit."""

    commit: str | None = None
    dirty: bool = False


class Environment(_Part):
    """A machine and what was installed on it."""

    host: str | None = None
    cpu: str | None = None
    cores: int | None = None
    device: str | None = None
    platform: str | None = None
    python: str | None = None
    packages: dict[str, str | None] = {}
    git: Git | None = None


class Job(_Part):
    """One job; times are UTC, ISO 8601."""

    environment: Environment
    status: str = "ok"
    rule: str = ""
    started: str = ""
    ended: str = ""
    code_hash: str = ""
    config_hash: str = ""
    data_hash: str = ""


class Manifest(_Part):
    """What a run consists of; jobs by the name of their record."""

    config: dict[str, Any]
    jobs: dict[str, Job]


class Record(_Part):
    """What one job left: rows by CSV file; ``provenance`` has its rule and the axes of its cell."""

    status: str
    reason: str
    rows: dict[str, list[dict[str, Any]]]
    provenance: dict[str, Any]


_Model = TypeVar("_Model", bound=_Part)


def read_manifest(results: str | Path) -> Manifest:
    """Return the manifest of a run.

    Raises:
        DataError: if it is missing, damaged, or not a manifest.
    """
    return _read(Path(results) / MANIFEST, Manifest)


def read_record(path: str | Path) -> Record:
    """Return the record of a job.

    Raises:
        DataError: if it is missing, damaged, or not a record.
    """
    return _read(Path(path), Record)


def _read(path: Path, model: type[_Model]) -> _Model:
    try:
        return model.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        kind = model.__name__.lower()
        raise DataError(f"{path} is no {kind}: {where}: {first['msg']}") from error
