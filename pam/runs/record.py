"""The record of a job: what came of it, the rows it measured, and all that is behind them."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pam.errors import DataError
from pam.files import read_json

OK = "ok"


class Part(BaseModel):
    """A part of a file of a run: what is not named may be there too, and is kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


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


def read_record(path: str | Path) -> Record:
    """Return the record of a job.

    Raises:
        DataError: if it is missing, damaged, or not a record.
    """
    try:
        return Record.model_validate(read_json(path))
    except ValidationError as error:
        raise DataError(f"{path} is no record: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """Return where the first thing lies that does not fit a model, and what it is."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "the file"
    return f"{where}: {first['msg']}"
