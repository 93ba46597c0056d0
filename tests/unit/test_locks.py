"""A lock that one process holds, and the system drops with it."""

import errno
import os
import subprocess
import sys

import pytest

from pam import PamError
from pam.durable.locks import alone, hold
from pam.source.modules import ROOT

HOLDER = (
    "import sys; from pam.durable.locks import hold; hold(sys.argv[1]); print('held', flush=True); "
)
ALONE = """
import sys
from pam.durable.locks import alone
with alone(sys.argv[1], print):
    print("held", flush=True)
    input()
"""


def holder(path, program: str) -> subprocess.Popen:
    """Start a process and return it once it has the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_only_one_process_holds_it_until_it_is_killed(tmp_path):
    path = tmp_path / "run.lock"
    with holder(path, HOLDER + "input()") as process:
        who = rf"process {process.pid}, since .*; wait for it, or stop it with `kill {process.pid}`"
        with pytest.raises(PamError, match=rf"another run is active in this folder .*: {who}"):
            hold(path)
        process.kill()
    os.close(hold(path))


def test_an_heir_of_the_handle_keeps_it(tmp_path):
    path = tmp_path / "folder" / "run.lock"
    descriptor = hold(path)
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, pass_fds=[descriptor], stdin=subprocess.PIPE) as heir:
        os.close(descriptor)
        with pytest.raises(PamError, match="another run is active"):
            hold(path)
        heir.communicate(b"\n")
    os.close(hold(path))


def test_a_disk_without_locks_holds_nobody_up(tmp_path, monkeypatch):
    def flock(descriptor, kind):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    os.close(hold(tmp_path / "run.lock"))
    with alone(tmp_path / "cell.lock", pytest.fail):
        pass


def test_a_full_disk_is_no_other_run(tmp_path, monkeypatch):
    def sign(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pam.durable.locks.sign", sign)
    with pytest.raises(PamError, match=r"^cannot write .*run\.lock: No space left on device$"):
        hold(tmp_path / "run.lock", patience=20)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PamError, match="cannot write"):
        hold(tmp_path / "file" / "run.lock")


def test_alone_waits_for_the_one_before_and_leaves_no_file(tmp_path):
    path = tmp_path / "kept" / "cell.lock"
    said = []
    with holder(path, ALONE) as process:

        def let_go() -> None:
            said.append("waiting")
            process.stdin.write("\n")
            process.stdin.flush()

        with alone(path, let_go):
            assert process.wait(5) == 0
            assert path.exists()
    assert said == ["waiting"]
    assert not path.exists()


def test_many_take_turns(tmp_path):
    """A holder removes the file that others wait at; they must not end up at different ones."""
    path, total = tmp_path / "cell.lock", tmp_path / "total"
    total.write_text("0")
    command = (
        "import sys, time; from pathlib import Path; from pam.durable.locks import alone\n"
        "total = Path(sys.argv[2])\n"
        "for _ in range(25):\n"
        "    with alone(sys.argv[1], lambda: None):\n"
        "        seen = int(total.read_text()); time.sleep(0.001); total.write_text(str(seen + 1))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", command, path, total], cwd=ROOT) for _ in range(4)
    ]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert total.read_text() == "100"


def test_patience_outlasts_a_holder_that_ends(tmp_path):
    path = tmp_path / "run.lock"
    with holder(path, HOLDER + "import time; time.sleep(0.1)"):
        os.close(hold(path, patience=20))
