"""A lock that one process holds, and the system drops with it."""

import os
import subprocess
import sys

import pytest

from pam import PamError
from pam.imports import ROOT
from pam.locks import hold

HOLDER = "import sys; from pam.locks import hold; hold(sys.argv[1]); print('held', flush=True); "


def holder(path, then: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER + then, path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_only_one_process_holds_it_until_it_is_killed(tmp_path):
    path = tmp_path / "run.lock"
    with holder(path, "input()") as process:
        with pytest.raises(PamError, match=r"another run is active in this folder"):
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


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PamError, match="cannot write"):
        hold(tmp_path / "file" / "run.lock")
