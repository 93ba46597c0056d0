"""The side of a job that Snakemake sees: asks for a fork, and ends as the fork ends."""

import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import TextIO

from pam.cli.warm import SOCKET
from pam.durable.stopping import SIGNALS, stop_with_workflow

STREAMS = (0, 1, 2)
"""By number: where one of them is closed, the command runs in its own process."""

LOST = 1
"""Exit code if the server ended before it could tell the fork's."""


def run(words: Sequence[str]) -> int | None:
    """Run ``pam`` in a fork of the server and return its exit code.

    Returns:
        128 + n if signal n ended it, as shells have it; None if no server answers, and nothing
        has run.
    """
    connection = _connect(os.environ.get(SOCKET, "")) if _all_open() else None
    if connection is None:
        return None
    with connection, connection.makefile("r", encoding="utf-8") as answers:
        try:
            _ask(connection, words)
            pid = int(answers.readline())
        except (OSError, ValueError):
            return None
        return _follow(pid, answers)


def _all_open() -> bool:
    try:
        return all(os.fstat(stream) for stream in STREAMS)
    except OSError:
        return False


def _connect(path: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        return None
    return connection


def _ask(connection: socket.socket, words: Sequence[str]) -> None:
    socket.send_fds(connection, [b"\n"], STREAMS)
    job = {"words": list(words), "folder": os.getcwd(), "environment": dict(os.environ)}
    connection.sendall(json.dumps(job).encode() + b"\n")


def _follow(pid: int, answers: TextIO) -> int:
    """Pass signals on to the fork, and wait for the word on how it ended."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in SIGNALS:
        signal.signal(number, pass_on)
    stop_with_workflow()
    code = answers.readline()
    if not code:
        # The fork has ended too: it holds the same end of the connection.
        print("pam: error: the process that starts jobs has ended", file=sys.stderr)
        return LOST
    return int(code) if int(code) >= 0 else 128 - int(code)
