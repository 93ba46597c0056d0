"""One run at a time in a folder, one process at a time on a cell, which goes on where it was."""

import fcntl
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from pam.durable.checkpoints import keeping
from pam.errors import PamError
from pam.files import is_running

RUN_LOCK = ".snakemake/run.lock"
# Set for the processes that the holder starts, so that they do not wait for their own parent.
RUN_LOCK_HELD = "PAM_RUN_LOCK_HELD"


def hold(path: str | Path, patience: float = 0.0) -> int:
    """Take the lock ``path`` until this process, and all that inherit the file descriptor, end.

    Args:
        path: a file, made if it is missing.
        patience: seconds to wait for a holder that is about to end.

    Returns:
        The file descriptor that holds the lock; who inherits it holds the lock as well.

    Raises:
        PamError: if another process has it, or the file cannot be written.
    """
    descriptor = _open(Path(path))
    until = time.monotonic() + patience
    while not _take_now(descriptor):
        if time.monotonic() >= until:
            os.close(descriptor)
            raise PamError(
                f"another run is active in this folder (it holds {path}): {_holder(path)}"
            )
        time.sleep(0.05)
    try:
        os.ftruncate(descriptor, 0)
        sign(path)
    except OSError as error:
        os.close(descriptor)
        raise PamError(f"cannot write {path}: {error.strerror}") from error
    return descriptor


def sign(path: str | Path) -> None:
    """Write into the lock ``path`` that this process holds it, or has inherited it."""
    since = datetime.now().astimezone().isoformat(" ", timespec="seconds")
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{os.getpid()} {platform.node()} {since}\n")


def _holder(path: str | Path) -> str:
    """Return which process holds a lock, since when, and how to stop it, if that is known."""
    with suppress(OSError, ValueError):
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            pid, host, since = line.split(" ", 2)
            if host != platform.node():
                return f"process {pid} on {host}, since {since}; wait for it, or stop it there"
            if is_running(int(pid)):
                return f"process {pid}, since {since}; wait for it, or stop it with `kill {pid}`"
    return "wait for it, or stop it"


@contextmanager
def alone(path: str | Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock ``path`` inside the block; wait as long as another process holds it.

    Args:
        path: a file, made if it is missing and removed afterwards.
        waiting: called if another process has the lock, before the wait.

    Raises:
        PamError: if the file cannot be written.
    """
    descriptor = _take(Path(path), waiting)
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _take(path: Path, waiting: Callable[[], None]) -> int:
    while True:
        descriptor = _open(path)
        try:
            _lock(descriptor, waiting)
            # A holder before us may have removed this file: who comes next would lock another.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, waiting: Callable[[], None]) -> None:
    if not _take_now(descriptor):
        waiting()
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _take_now(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take a lock, and tell whether that went well: another process may have it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without locks: nobody can have it.
        pass
    return True


def _open(path: Path) -> int:
    try:
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Another process may remove the folder in between, when it is done with it.
            with suppress(FileNotFoundError):
                return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise PamError(f"cannot write {path}: {error.strerror}") from error


def is_held(path: str | Path) -> bool:
    """Tell whether a process has the lock ``path``; writes nothing, and waits for nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _take_now(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


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
