"""What lets a job go on where it was stopped or killed: its cell's lock and its checkpoints."""

import re
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pam.cli.job import Job
from pam.cli.origin import Origin
from pam.durable.checkpoints import keeping
from pam.durable.locks import alone
from pam.files import stored_hash
from pam.provenance import HASH_LENGTH, config_hash

FOLDER = ".checkpoints"
"""Beside the record of a job, so on the same disk, and no declared output of the workflow."""


@contextmanager
def resumable(
    job: Job,
    arguments: Namespace,
    origin: Origin,
    parents: Sequence[str | Path] = (),
) -> Iterator[None]:
    """Keep checkpoints of what runs inside the block, and go on from those of an earlier run.

    They are gone when the block ends well. One process at a time works on a cell: what a killed
    workflow left running has to end first.

    Args:
        job: the cell's job.
        arguments: of the command.
        origin: what decides the result.
        parents: network files that are read.

    Raises:
        DataError: if a parent is missing or damaged.
        PamError: if the folder of the record cannot be written.
    """
    import torch

    key = config_hash(
        {
            "rule": job.rule,
            "axes": job.axes,
            "config": origin.config,
            "code": origin.code,
            "data": origin.data,
            "parents": [stored_hash(path) for path in parents],
            "threads": job.config.threads,
            "device": job.device,
            "torch": torch.__version__,
        }
    )
    kept, cell = job.record.parent / FOLDER, job.record.stem
    folder = kept / f"{cell}-{key}"
    with alone(kept / f"{cell}.lock", _say_waiting(job)):
        _remove_others(folder, cell)
        with keeping(folder, arguments.checkpoint_every):
            yield
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        # Fails while other cells have theirs.
        kept.rmdir()


def _say_waiting(job: Job) -> Callable[[], None]:
    return lambda: print(
        f"pam {job.rule}: waiting for another process that works on this cell", file=sys.stderr
    )


def _remove_others(folder: Path, cell: str) -> None:
    """Remove checkpoints of the same cell made with another code, configuration or input."""
    of_cell = re.compile(rf"{re.escape(cell)}-[0-9a-f]{{{HASH_LENGTH}}}")
    for other in folder.parent.iterdir():
        if of_cell.fullmatch(other.name) and other.name != folder.name:
            shutil.rmtree(other, ignore_errors=True)
