"""One run at a time in a folder, known by a lock that the system drops with its holder."""

import fcntl
import os
from pathlib import Path

from pam.errors import PamError

RUN_LOCK = ".snakemake/run.lock"
# Set for the processes that the holder starts, so that they do not wait for their own parent.
RUN_LOCK_HELD = "PAM_RUN_LOCK_HELD"


def hold(path: str | Path) -> int:
    """Take the lock ``path`` and keep it until this process, or a heir of the handle, ends.

    Returns:
        The file descriptor that holds the lock; who inherits it holds the lock as well.

    Raises:
        PamError: if another process has it, or the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise PamError(f"cannot write {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise PamError(
            f"another run is active in this folder (it holds {path}): wait for it, or stop it"
        ) from error
    return descriptor
