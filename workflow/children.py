"""Processes that ``make reproduce`` starts, and that end with it when it is asked to stop."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import psutil

PR_SET_PDEATHSIG = 1
"""Of Linux' prctl."""

LOOK_S = 0.2
"""How often a process that was asked to stop is searched for jobs it has started since."""


class Children:
    """Starts one process after the other; SIGTERM and SIGINT reach the jobs below them.

    Snakemake waits for its jobs when it is told to stop, so the jobs are told as well: they store
    how far they came and end.

    Attributes:
        at_death: the signal that a process gets when this one is killed; on Linux only.
        stopped_by: number of the signal that asked to stop; 0 if none came.
    """

    # Jobs see that Snakemake is gone, and stop.
    at_death = signal.SIGKILL

    def __init__(self, starter: int = 0) -> None:
        """Listen from now on.

        Args:
            starter: the process, our parent, whose end asks to stop as well; 0: that of nobody.
        """
        self.stopped_by = 0
        self._starter = starter
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def run(
        self, command: list[str], look: Callable[[], None] | None = None, **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, like :func:`subprocess.run`; all that it started has ended.

        Args:
            command: the words.
            look: called every moment while it runs.
            options: of :class:`subprocess.Popen`; pipes are read into the result.
        """
        told: set[psutil.Process] = set()
        with subprocess.Popen(command, text=True, preexec_fn=self._die_too, **options) as process:
            while True:
                try:
                    out, err = process.communicate(timeout=LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    if look:
                        look()
                    if self._starter not in (0, os.getppid()):
                        self.stopped_by = self.stopped_by or signal.SIGTERM
                    if self.stopped_by:
                        self.stop(process.pid, told)
        psutil.wait_procs(told)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def stop(self, pid: int, told: set[psutil.Process]) -> None:
        """Ask a process and the jobs below it to stop, each of them once.

        Args:
            pid: the process.
            told: those that were asked already; whom this asks is added.
        """
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(pid)
            below = main.children(recursive=True)
            parents = {process.ppid() for process in below if process.is_running()}
            for process in (main, *(one for one in below if one.pid not in parents)):
                if process not in told:
                    told.add(process)
                    process.terminate()

    def _die_too(self) -> None:
        """Have a process that is about to start get a signal when this one is killed."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.at_death)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.stopped_by = self.stopped_by or number
