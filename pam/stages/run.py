"""The frame of every job: read what it needs once, compute, save, and leave a record.

The command line calls :func:`run`, and so may a script:

    config = load_config("workflow/config/quick.yaml")
    cell = Cell("merge", experiment="digits_lenet5", merging="pam", seed=0)
    paths = Paths("results/quick")
    run(config, cell, paths.inputs(config, cell), paths.artefact(cell), paths.record(cell))
"""

import platform
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from pam.config import Config
from pam.config.loading import check_experiment
from pam.durable.locks import resumable
from pam.errors import ConfigError, DataError
from pam.files import file_hash, write_sealed
from pam.names import check_known
from pam.reporting.schema import TABLES
from pam.runs.cells import Cell, cell_code, check_cell, config_hash, settings_of, stage_module
from pam.runs.hashes import content_hashes, rows_hash
from pam.runs.machine import environment
from pam.runs.paths import NETWORK, PARTS, path_in_run, record_of
from pam.runs.record import OK, check_content, read_hashes, read_record
from pam.runs.stages import STAGES
from pam.stages.device import device_model, set_up
from pam.stages.failures import save_failure
from pam.stages.inputs import read_inputs
from pam.stages.job import Inputs, Job, Result
from pam.stages.rows import Rows, without_nan

CELL_FAILED = 1
CHECKPOINT_EVERY_S = 60.0
RESOURCE_AXES = ("experiment", "task", "merging", "pruning", "seed")

Files = Mapping[str, Sequence[str | Path]]
"""Flag of the command -> files that a job reads."""


def run(
    config: Config,
    cell: Cell,
    files: Files,
    out: str | Path,
    record: str | Path,
    *,
    where: str = "the configuration",
    log: str = "",
    command: str = "",
    strict: bool = False,
    only_if_changed: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY_S,
    **options: Any,
) -> int:
    """Do the job of a cell and return the exit code: 1 for a failed cell under ``strict``, else 0.

    A cell that fails is a result: its files say why, and every job after it passes that on.

    Args:
        config: the configuration.
        cell: which job.
        files: what it reads.
        out: where its artefact goes; a folder for a data set.
        record: where its record goes.
        where: what the configuration is called in errors.
        log: file that keeps what the job prints, only noted in the record.
        command: the command line, only noted in the record.
        strict: whether a failed cell fails the command.
        only_if_changed: do nothing if the record and the artefact are those of this very job.
        checkpoint_every: seconds between two checkpoints.
        options: of the stage.

    Raises:
        ConfigError: if the configuration has no such cell, or if ``out`` or ``record`` would
            replace what the job reads, each other, or what another cell left.
        DataError: if a file is missing or damaged, or belongs to another cell.
        ShapeError: if a network does not fit the data set.
    """
    started, clocks = datetime.now(UTC), (time.perf_counter(), time.process_time())
    check_cell(config, cell, where)
    check_experiment(config, cell.experiment)
    # Data are prepared where there may be no GPU.
    device = set_up(config.threads, "cpu" if cell.stage == "prepare" else config.device)
    _check_places(cell, files, out, record)
    job = Job(config, cell, device, options)
    # Now, not at the end: sources may change while the job runs.
    machine, code = environment(device_model(device)), cell_code(config, cell)
    parents = read_hashes([path for paths in files.values() for path in paths], record)
    inputs = read_inputs(job, files)
    settings = settings_of(config, cell)
    hashes = {"config_hash": config_hash(settings), "code_hash": code}
    hashes |= {"data_hash": inputs.data_hash}  # Empty while there is no data set.
    # What the artefact's own file says of it, wherever the file is taken.
    label = {**job.axes, "rule": cell.stage, **hashes}
    if only_if_changed and _is_current(record, out, hashes, parents):
        return 0
    origin = {"axes": job.axes, "settings": settings, "hashes": hashes}
    with _checkpoints(job, origin, parents, Path(record), checkpoint_every):
        result, facts = _compute_and_save(job, inputs, label, out, Path(record))
        rows = without_nan({**result.rows, "resources": [_resources(job, *clocks)]})
        outputs = _files(cell, out) if STAGES[cell.stage].suffix else []
        artefacts = content_hashes(outputs, record)
        content = {
            "status": result.failure.status if result.failure else OK,
            "reason": result.failure.reason if result.failure else "",
            "rows": rows,
            "provenance": without_nan(
                {
                    **label,
                    "config": settings,
                    "artefacts": artefacts | {path_in_run(record, record): rows_hash(rows)},
                    "files": {path_in_run(path, record): file_hash(path) for path in outputs},
                    "parents": parents,
                    "seeds": {},
                    "threads": config.threads,
                    "device": device,
                    "command": command,
                    "log": log,
                    "started": started.isoformat(timespec="seconds"),
                    "ended": datetime.now(UTC).isoformat(timespec="seconds"),
                    "environment": machine,
                    **facts,
                }
            ),
        }
        write_sealed(record, content)
    if result.failure:
        failure = result.failure
        print(f"pam {cell.stage}: {failure.status}: {failure.reason}", file=sys.stderr)
    return CELL_FAILED if result.failure and strict else 0


def _check_places(cell: Cell, files: Files, out: str | Path, record: str | Path) -> None:
    """Refuse places for a job's files that hold what is still needed."""
    parts = [
        Path(path).with_name(part + NETWORK) for path in files.get("data", ()) for part in PARTS
    ]
    taken = {Path(path).resolve() for path in (*parts, *chain(*files.values()))}
    outputs = _files(cell, out) if STAGES[cell.stage].suffix else []
    label = {"rule": cell.stage, **cell.columns}
    for path in (*outputs, Path(record)):
        if path.resolve() in taken:
            raise ConfigError(f"{path} is another file of this job; give another --out or --record")
        taken.add(path.resolve())
        # What is no record, or a damaged one, is made anew.
        with suppress(DataError):
            known = read_record(record_of(path)).provenance
            if known.rule and label != {name: getattr(known, name, None) for name in label}:
                raise ConfigError(f"{path} is of another cell; give another --out or --record")


def _compute_and_save(
    job: Job, inputs: Inputs, label: dict[str, Any], out: str | Path, record: Path
) -> tuple[Result, dict[str, Any]]:
    """Return the result, its failure as the record tells it, and the facts of record and file."""
    stage, earlier = STAGES[job.cell.stage], inputs.failure
    if earlier and not stage.measures:
        result = Result(failure=earlier)
    else:
        result = import_module(stage_module(job.cell.stage)).compute(job, inputs)
    _check_rows(result.rows)
    facts = dict(result.facts)
    # An earlier record does not vouch for what is written now.
    record.unlink(missing_ok=True)
    if result.save:
        facts |= result.save(out, label) or {}
    elif stage.suffix and result.failure:
        for path in _files(job.cell, out):
            save_failure(path, result.failure, label)
    if earlier:
        failure = earlier.within(f"not {stage.done}")
        result = Result(rows=result.rows, save=result.save, failure=failure)
    return result, facts


def _check_rows(rows: Rows) -> None:
    """Refuse rows, say those that a merger noted, that no CSV file of a run has a place for."""
    for name, own in rows.items():
        check_known("CSV file of a run", name, TABLES)
        for row in own:
            TABLES[name].check(row)


def _files(cell: Cell, out: str | Path) -> list[Path]:
    """Return the files of a cell's artefact."""
    if cell.stage != "prepare":
        return [Path(out)]
    from pam.data.store import dataset_files

    return dataset_files(out)


def _is_current(
    record: str | Path, out: str | Path, hashes: Mapping[str, str], parents: Mapping[str, str]
) -> bool:
    """Tell whether a job was done already, from the same code, settings, data and parents."""
    try:
        known = read_record(record)
        check_content(out, path_in_run(out, record), known.provenance)
    except DataError:
        return False
    same = all(getattr(known.provenance, name) == value for name, value in hashes.items())
    return same and known.provenance.parents == dict(parents) and known.status == OK


def _checkpoints(
    job: Job, origin: Mapping[str, Any], parents: Mapping[str, str], record: Path, every: float
) -> AbstractContextManager[None]:
    """Return a block whose expensive steps are kept: a data set has none.

    ``origin`` and ``parents`` are all that decides them, besides the machine.
    """
    if not STAGES[job.cell.stage].axes:
        return nullcontext()
    import torch

    key = config_hash(
        {
            "rule": job.cell.stage,
            "origin": dict(origin),
            "parents": dict(parents),
            "threads": job.config.threads,
            "device": job.device,
            "torch": torch.__version__,
        }
    )
    words = f"pam {job.cell.stage}: waiting for another process that works on this cell"
    return resumable(record, key, every, lambda: print(words, file=sys.stderr))


def _resources(job: Job, wall: float, cpu: float) -> dict[str, Any]:
    """Return what a job took since the readings of two clocks: wall and processor time."""
    # Linux counts kibibytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    axes = job.axes
    return {
        "rule": job.cell.stage,
        **{name: axes.get(name, "") for name in RESOURCE_AXES},
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
        "device": job.device,
        "host": platform.node(),
    }
