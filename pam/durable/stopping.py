"""Stopping on request: by SIGTERM (a scheduler's time limit) or SIGINT (Ctrl-C).

Code that can store how far it came defers the stop to its next safe point; everywhere else it takes
effect at once. A second signal ends the process as if there were no handler.
"""

import os
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

RUN = "PAM_RUN"
"""Environment variable: process, process group and host of the workflow that starts jobs."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)

SAME_REQUEST_S = 1.0
"""A terminal and a parent may both pass on one Ctrl-C: signals so close together are one."""

WATCH_S = 0.5


class Interrupted(BaseException):
    """Raised where work stops on request; no Exception, so that no handler takes it for a failure.

    Attributes:
        signal: number of the signal.
        where: the stored place to go on from, e.g. ``"epoch 3, step 120"``; empty if there is none.
    """

    def __init__(self, number: int, where: str = "") -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number
        self.where = where


@dataclass
class _Request:
    signal: int = 0
    since: float = 0.0
    deferrals: int = 0


_request = _Request()


@contextmanager
def listening() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into :class:`Interrupted` inside the block.

    Handlers belong to the main thread; in any other, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _on_signal) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _request.signal = 0


@contextmanager
def deferred() -> Iterator[None]:
    """Let a request to stop wait for :func:`stop_if_requested` or the end of the block."""
    _request.deferrals += 1
    try:
        yield
    finally:
        _request.deferrals -= 1
    stop_if_requested()


def requested() -> bool:
    """Return whether a signal has come."""
    return _request.signal != 0


def stop_if_requested(where: str = "") -> None:
    """Raise Interrupted if a signal has come; ``where`` is the stored place to go on from."""
    if _request.signal:
        raise Interrupted(_request.signal, where)


def this_workflow() -> str:
    """Return what ``PAM_RUN`` has to say to the jobs of this very process."""
    return f"{os.getpid()} {os.getpgrp()} {platform.node()}"


def stop_with_workflow() -> None:
    """End this process as if by SIGTERM once the workflow that started it is gone.

    A killed workflow leaves its jobs running; they would write beside those of the next one. It may
    be gone already when its job first looks: then a process of its group descends from it no more.
    A variable that travelled to another machine or into a user's shell means nothing there.
    """
    parent = os.getppid()
    workflow, _, rest = os.environ.get(RUN, "").partition(" ")
    if workflow == str(parent):
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    elif rest == f"{os.getpgrp()} {platform.node()}" and not _descends_from(int(workflow)):
        os.kill(os.getpid(), signal.SIGTERM)


def _descends_from(pid: int) -> bool:
    import psutil

    return pid == os.getpid() or pid in {above.pid for above in psutil.Process().parents()}


def _watch(parent: int) -> None:
    # Not whether that process exists: a killed one may stay a zombie, its children move at once.
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    now = time.monotonic()
    if not _request.signal:
        _request.signal, _request.since = number, now
        if not _request.deferrals:
            raise Interrupted(number)
    elif now - _request.since > SAME_REQUEST_S:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
