"""The server of warm jobs, for as long as ``make reproduce`` runs jobs on this machine."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pam.cli.device import job_environment
from pam.cli.warm import SOCKET
from pam.source.modules import ROOT


@contextmanager
def warm_jobs(threads: int) -> Iterator[None]:
    """Name a server's socket in the environment inside the block.

    Whoever has the variable set, if only to nothing, goes without. Forking a process that has
    loaded its libraries is safe on Linux alone.

    Args:
        threads: of the linear algebra of every job, which the server's forks inherit.
    """
    if SOCKET in os.environ or sys.platform != "linux":
        yield
        return
    folder = Path(tempfile.mkdtemp(prefix="pam-"))
    path = str(folder / "jobs")
    server = subprocess.Popen(
        [sys.executable, "-m", "pam.cli.warm.server", path],
        env=os.environ | job_environment(threads) | {"PYTHONPATH": _with_this_checkout()},
        stdin=subprocess.DEVNULL,
    )
    os.environ[SOCKET] = path
    try:
        yield
    finally:
        del os.environ[SOCKET]
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _with_this_checkout() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))
