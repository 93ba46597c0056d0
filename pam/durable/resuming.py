"""What lets a job go on where it was stopped or killed: its cell's lock and its checkpoints."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pam.durable.checkpoints import keeping
from pam.durable.locks import alone

FOLDER = ".checkpoints"
"""Beside the record of a job, so on the same disk, and no declared output of the workflow."""


@contextmanager
def resumable(
    record: Path, key: str, every: float, say_waiting: Callable[[], None]
) -> Iterator[None]:
    """Keep checkpoints of what runs inside the block, and go on from those of an earlier run.

    They are gone when the block ends well. One process at a time works on a cell: what a killed
    workflow left running has to end first.

    Args:
        record: where the job's record will be; its name is the cell's.
        key: hash of all that decides the result: checkpoints of another key are removed.
        every: seconds between two checkpoints.
        say_waiting: called if another process works on the cell.

    Raises:
        PamError: if the folder of the record cannot be written.
    """
    kept, cell = record.parent / FOLDER, record.stem
    folder = kept / f"{cell}-{key}"
    with alone(kept / f"{cell}.lock", say_waiting):
        _remove_others(folder, cell, len(key))
        with keeping(folder, every):
            yield
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        # Fails while other cells have theirs.
        kept.rmdir()


def _remove_others(folder: Path, cell: str, length: int) -> None:
    """Remove checkpoints of the same cell made with another code, configuration or input."""
    of_cell = re.compile(rf"{re.escape(cell)}-[0-9a-f]{{{length}}}")
    for other in folder.parent.iterdir():
        if of_cell.fullmatch(other.name) and other.name != folder.name:
            shutil.rmtree(other, ignore_errors=True)
