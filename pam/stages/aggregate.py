"""Put the rows of all records into the CSV files of a run, and write its manifest."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pam.config import Config
from pam.errors import DataError
from pam.files import file_hash, write_sealed
from pam.reporting.aggregate import aggregate
from pam.runs.cells import cells_of, config_hash, settings_of, stage_code
from pam.runs.machine import environment
from pam.runs.paths import Paths, path_in_run
from pam.runs.record import Record, read_record
from pam.runs.stages import CELL_STAGES, CSV_FILES

_HASHES = {"code_hash": "code", "config_hash": "settings", "data_hash": "data"}
_MACHINE = ("host", "cpu", "cores", "device", "platform", "python")


def run(config: Config, results: str, folders: Sequence[str] = ()) -> None:
    """Write the CSV files and the manifest from exactly the records that a configuration asks for.

    Args:
        config: the configuration.
        results: folder of the run.
        folders: where the records lie if not there: runs of the same configuration, data and
            code, whose cells complete one another.

    Raises:
        DataError: if a record is missing or damaged, of other settings than the configuration's,
            or holds a row that fits no CSV file; if folders do not exist, hold different results
            of one cell, or results of different code, settings or data. All is left as it was.
    """
    paths = Paths(results)
    chosen = gather(config, folders) if folders else paths.records(config)
    _check_settings(config, chosen)
    settings = config.model_dump()
    records = aggregate(chosen, results, config.deltas, settings)
    manifest = {
        "config": settings,
        "config_hash": config_hash(settings),
        "code_hash": stage_code("aggregate"),
        "aggregated_on": environment(),
        "machines": _machines(records.values()),
        "csv": {name: file_hash(paths.csv(name)) for name in CSV_FILES},
        "jobs": {
            path_in_run(path, path): {
                "status": record.status,
                "reason": record.reason,
                **record.provenance.model_dump(exclude_unset=True),
            }
            for path, record in records.items()
        },
    }
    write_sealed(paths.manifest, manifest)


def gather(config: Config, folders: Sequence[str]) -> list[str]:
    """Return the record of every cell of a configuration, each from the first folder with it."""
    if gone := [folder for folder in folders if not Path(folder).is_dir()]:
        raise DataError(f"--from {gone[0]} is no folder; name folders of runs")
    chosen = []
    known: dict[tuple[Any, ...], tuple[str, str]] = {}
    for candidates in zip(*(Paths(folder).records(config) for folder in folders), strict=True):
        there = [path for path in candidates if Path(path).is_file()]
        if not there:
            raise DataError(
                f"{candidates[0]} does not exist, nor in any other of the folders; run what is "
                "missing, or name the seeds that are there with --seeds"
            )
        records = {path: read_record(path) for path in there}
        _check_equal(records)
        for path, record in records.items():
            _check_origin(path, record, known)
        chosen.append(there[0])
    return chosen


def _check_settings(config: Config, paths: Sequence[str]) -> None:
    """Refuse a record of other settings than those that its cell has in a configuration."""
    wanted = cache(lambda kind: config_hash(settings_of(config, kind)))
    cells = (cell for stage in CELL_STAGES for cell in cells_of(config, stage))
    for path, cell in zip(paths, cells, strict=True):
        known, due = read_record(path).provenance.config_hash, wanted(cell.kind)
        if known and known != due:
            raise DataError(
                f"{path} was made with other settings than the configuration has (config_hash "
                f"{known}, not {due}); run it again, or name its own configuration"
            )


def _check_equal(records: dict[str, Record]) -> None:
    """Refuse different results of one cell."""
    (first, one), *others = records.items()
    for path, other in others:
        if (other.status, other.provenance.artefacts) != (one.status, one.provenance.artefacts):
            raise DataError(
                f"{path} and {first} are different results of one cell; leave one of their folders "
                "out, or delete one of the two"
            )


def _check_origin(path: str, record: Record, known: dict[tuple[Any, ...], tuple[str, str]]) -> None:
    """Refuse a result of other code, settings or data than those of other seeds and tasks."""
    origin = record.provenance
    cell = (origin.rule, origin.axis("merging"), origin.axis("pruning"))
    for name, noun in _HASHES.items():
        value = getattr(origin, name)
        key = (name, origin.experiment, *(() if noun == "data" else cell))
        other, before = known.setdefault(key, (path, value)) if value else (path, value)
        if value != before:
            raise DataError(
                f"{path} was made with other {noun} than {other} ({name} {value}, not {before}); "
                "run one of them again, or leave its folder out"
            )


def _machines(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return the machines of a run's jobs, the one with the most jobs first."""
    counts = Counter(
        tuple(getattr(record.provenance.environment, name) for name in _MACHINE)
        for record in records
    )
    return [
        {**dict(zip(_MACHINE, machine, strict=True)), "jobs": count}
        for machine, count in counts.most_common()
    ]
