"""The process that jobs are forked from: ``python -m pam.cli.warm.server SOCKET``."""

import gc
import json
import os
import runpy
import select
import selectors
import signal
import socket
import sys
import threading
from contextlib import suppress
from importlib import import_module

from pam.cli.warm import SOCKET

PRELOADED = (
    *("numpy", "pandas", "psutil", "pydantic", "safetensors.torch", "torch", "torch.fx"),
    *("tqdm", "yaml", "fvcore.nn"),
)
"""Of others only: a job imports this project's modules itself, as they are when it starts."""

LOOK_S = 0.5
PATIENCE_S = 10.0
"""A client sends its job at once, or not at all."""


class Server:
    """Forks a process per job, and tells each client how its fork ended."""

    def __init__(self, path: str) -> None:
        """Listen at once: jobs that come before the imports are done wait for them."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(128)
        self._clients: dict[int, socket.socket] = {}

    def serve(self, parent: int) -> dict | None:
        """Serve until the parent is gone.

        Returns:
            In a fork, its job: ``words``, ``folder`` and ``environment``; in the server, None.
        """
        # A Ctrl-C reaches the whole group; what it means to a job is the job's to say.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ended, woken = socket.socketpair()
        woken.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken.fileno())
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(ended, selectors.EVENT_READ)
            while os.getppid() == parent:
                for key, _ in selector.select(LOOK_S):
                    if key.fileobj is ended:
                        ended.recv(4096)
                        self._reap()
                    elif (job := self._fork()) is not None:
                        signal.set_wakeup_fd(-1)
                        for number in (signal.SIGCHLD, signal.SIGTERM):
                            signal.signal(number, signal.SIG_DFL)
                        signal.signal(signal.SIGINT, signal.default_int_handler)
                        return job
        return None

    def _fork(self) -> dict | None:
        """Accept one job; return it in the fork, None in the server."""
        client, _ = self._listener.accept()
        client.settimeout(PATIENCE_S)
        streams: list[int] = []
        try:
            _, streams, _, _ = socket.recv_fds(client, 1, 3)
            with client.makefile("r", encoding="utf-8") as lines:
                job = json.loads(lines.readline())
        except (OSError, ValueError):
            _close(client, streams)
            return None
        server = os.getpid()
        pid = os.fork()
        if pid:
            with suppress(OSError):
                client.sendall(f"{pid}\n".encode())
            self._clients[pid] = client
            _close(None, streams)
            return None
        # Only the server may keep these open, so that its end is seen.
        for other in (self._listener, *self._clients.values()):
            other.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        _close(None, streams)
        threading.Thread(target=_end_with, args=(client, server), daemon=True).start()
        return job

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            client = self._clients.pop(pid)
            with suppress(OSError):
                client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            client.close()


def _close(client: socket.socket | None, streams: list[int]) -> None:
    if client is not None:
        client.close()
    for stream in streams:
        os.close(stream)


def _end_with(client: socket.socket, server: int) -> None:
    """End this fork as if by SIGTERM once its client, or the server, is gone."""
    # A client says nothing more: there is something to read only when it has closed its end.
    while os.getppid() == server and not select.select([client], [], [], LOOK_S)[0]:
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve; in a fork, go on as ``python -m pam.cli`` with the job's words."""
    # The parent may end while the packages are imported.
    parent = os.getppid()
    server = Server(sys.argv[1])
    for name in PRELOADED:
        with suppress(ImportError):
            import_module(name)
    # What is there now is never freed: forks share its memory untouched.
    gc.freeze()
    job = server.serve(parent)
    if job is None:
        # Who would have removed them is gone.
        with suppress(OSError):
            os.unlink(sys.argv[1])
            os.rmdir(os.path.dirname(sys.argv[1]))
        return
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    del os.environ[SOCKET]
    for name in [name for name in sys.modules if name.partition(".")[0] == "pam"]:
        del sys.modules[name]
    sys.argv[1:] = job["words"]
    runpy.run_module("pam.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
