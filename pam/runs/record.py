"""The record of a job, and the manifest of a run: what came of it, and all that is behind it."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pam.errors import ChangedError, DataError
from pam.files import SEAL, file_hash
from pam.runs.hashes import content_hash
from pam.runs.paths import path_in_run, record_of

OK = "ok"
MANIFEST = "manifest.json"
GIVEN_UP = "thrown_away.json"
"""In the folder of a run: the networks that were thrown away to save disk space."""


class _Row(TypedDict, total=False):
    method: str


class _Rows(TypedDict, total=False):
    """What is read again of an experiment; the rest may be anything."""

    dataset: str
    architecture: str
    tasks: list[str]
    merging: dict[str, _Row]
    pruning: dict[str, _Row]
    relatedness: dict[str, _Row]


class _OfRun(TypedDict, total=False):
    experiments: dict[str, _Rows]
    requests: dict[str, float]


class _OfJob(TypedDict, total=False):
    merging: _Row
    pruning: _Row
    relatedness: _Row


def _as(kind: type) -> AfterValidator:
    """Return a check that a mapping has the types of ``kind``, which leaves it as it is."""
    adapter = TypeAdapter(kind)

    def check(value: dict[str, Any]) -> dict[str, Any]:
        adapter.validate_python(value)
        return value

    return AfterValidator(check)


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
        files: path within the run -> sha256 of the file that was written, but of the record, which
            is sealed.
        parents: the same of what was read.
    """

    rule: str = ""
    experiment: str = ""
    config: Annotated[dict[str, Any], _as(_OfJob)] = {}
    config_hash: str = ""
    code_hash: str = ""
    data_hash: str = ""
    artefacts: dict[str, str] = {}
    files: dict[str, str] = {}
    parents: dict[str, str] = {}
    environment: Environment = Environment()
    started: str = ""
    ended: str = ""
    log: str = ""

    def axis(self, name: str) -> Any:
        """Return the job's value on an axis, None if it has none."""
        return (self.model_extra or {}).get(name)


class Facts(BaseModel):
    """What of its provenance tells whether a job is up to date; see :class:`Provenance`."""

    model_config = ConfigDict(frozen=True)

    rule: str = ""
    config_hash: str = ""
    code_hash: str = ""
    raw_hash: str = ""
    artefacts: dict[str, str] = {}
    files: dict[str, str] = {}
    parents: dict[str, str] = {}


class Outline(BaseModel):
    """A record without its rows, its settings and its machine: a run has thousands.

    Attributes:
        status: ``"ok"``, or how the cell failed.
        reason: why it failed, in one sentence.
        seal: see :data:`pam.files.SEAL`.
    """

    model_config = ConfigDict(frozen=True)

    status: str
    reason: str
    provenance: Facts
    seal: str


class Record(Outline):
    """What a job leaves beside its artefact.

    Attributes:
        rows: CSV file -> rows.
    """

    provenance: Provenance
    rows: dict[str, list[dict[str, Any]]]


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

    config: Annotated[dict[str, Any], _as(_OfRun)]
    jobs: dict[str, JobRecord]
    csv: dict[str, str] = Field(default_factory=dict)
    code_hash: str = ""
    seal: str
    aggregated_on: Environment = Environment()


class GivenUp(BaseModel):
    """Which networks of a run were thrown away on purpose."""

    networks: list[str]
    seal: str


_Outline = TypeVar("_Outline", Outline, Record)
_Model = TypeVar("_Model", Outline, Record, Manifest, GivenUp)


def read_record(path: str | Path) -> Record:
    """Return the record of a job.

    Raises:
        DataError: if it is missing, damaged, not a record, or that of another job.
        ChangedError: if it is not what its job wrote.
    """
    return _of_its_job(Path(path), path_in_run(path, path), Record)


def read_outline(path: str | Path, name: str) -> Outline:
    """Return the record of a job without its rows, as :func:`read_record`.

    Args:
        path: of the record.
        name: the same within the run.
    """
    return _of_its_job(Path(path), name, Outline)


def _of_its_job(path: Path, name: str, model: type[_Outline]) -> _Outline:
    record = _read(path, model)
    written = record.provenance.artefacts
    if written and name not in written:
        raise DataError(f"{path} is the record of another job: delete it and run again")
    return record


def check_content(path: str | Path, name: str, known: Provenance | Facts) -> None:
    """Check that a file is the one of this name in the run.

    Raises:
        DataError: if it is missing.
        ChangedError: if it is another one.
    """
    if file_hash(path) != known.files.get(name):
        raise ChangedError(path)


def check_csv(results: str | Path, name: str, manifest: Manifest) -> None:
    """Check that a CSV file is the one that its manifest tells of, as :func:`check_content`."""
    path = Path(results) / f"{name}.csv"
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if manifest.csv and manifest.csv.get(name) != file_hash(path):
        raise ChangedError(path)


def read_given_up(results: str | Path) -> frozenset[str]:
    """Return the networks of a run that were thrown away on purpose, as paths in the run.

    Raises:
        DataError: if the list of them is damaged, or was written by nobody who seals it.
    """
    path = Path(results) / GIVEN_UP
    return frozenset(_read(path, GivenUp).networks if path.is_file() else ())


def read_hashes(paths: Iterable[str | Path], record: str | Path) -> dict[str, str]:
    """Return path in the run -> hash of its content, of files that a job reads.

    Those that lie beside a record are compared with it.

    Raises:
        DataError: if a file or its record is missing or damaged.
        ChangedError: if a file is not what its record says.
    """
    hashes = {}
    for path in paths:
        known = check_beside(path)
        recorded = known.artefacts.get(path_in_run(path, record_of(path))) if known else None
        hashes[path_in_run(path, record)] = recorded or content_hash(path)
    return hashes


def check_beside(path: str | Path) -> Provenance | None:
    """Check a file by the record beside it, and return what that says; None if there is none.

    Raises:
        DataError: if the file is missing, or the record is damaged.
        ChangedError: if the file is not what its record says.
    """
    beside = record_of(path)
    if not Path(beside).is_file():
        return None
    known = read_record(beside).provenance
    check_content(path, path_in_run(path, beside), known)
    return known


def read_manifest(results: str | Path) -> Manifest:
    """Return the manifest of a run.

    Raises:
        DataError: if it is missing, damaged, or not a manifest.
    """
    return _read(Path(results) / MANIFEST, Manifest)


def _read(path: Path, model: type[_Model]) -> _Model:
    try:
        text = path.read_text(encoding="utf-8")
        # Of an outline no row becomes an object: a run has thousands of records.
        value = model.model_validate_json(text)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path} {_problem(error, model)}: delete it and run again") from error
    unsealed = text.replace(f'"{SEAL}": "{value.seal}"', f'"{SEAL}": ""', 1)
    if value.seal != sha256(unsealed.encode()).hexdigest():
        raise ChangedError(path)
    return value


def _problem(error: Exception, model: type[BaseModel]) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        if first["type"] != "json_invalid":
            where = ".".join(map(str, first["loc"])) or "the file"
            kind = {Manifest: "manifest", GivenUp: "list of networks"}.get(model, "record")
            return f"is no {kind}: {where}: {first['msg']}"
        return f"is damaged or not JSON: {first['msg']}"
    return f"is damaged or not JSON: {error}"
