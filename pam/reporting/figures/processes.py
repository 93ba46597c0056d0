"""Several processes that do the same work, each on its share."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1
_work: Callable | None = None


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[..., Result], tasks: Sequence[tuple], processes: int
) -> list[Result]:
    """Return ``work(*task)`` of every task, in their order.

    The processes share what this one holds in memory, so only tasks and results are copied. Where
    a system cannot do that safely (any but Linux), this process does all the work.
    """
    processes = min(processes, len(tasks))
    if processes < 2 or sys.platform != "linux":
        return [work(*task) for task in tasks]
    with ProcessPoolExecutor(processes, get_context("fork"), _begin, (work,)) as pool:
        return list(pool.map(_one, tasks))


def _begin(work: Callable) -> None:
    """Keep the work, leave Ctrl-C to the parent, and end with it."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _one(task: tuple) -> object:
    return _work(*task)
