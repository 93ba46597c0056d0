"""Signals: at once, at the next safe point, or for good; and a job that outlives its workflow."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pam.durable.stopping import (
    SIGNALS,
    Interrupted,
    deferred,
    listening,
    requested,
    stop_if_requested,
)
from pam.source.modules import ROOT


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_at_once(number):
    handler = signal.getsignal(number)
    with pytest.raises(Interrupted) as stopped, listening():
        os.kill(os.getpid(), number)
        pytest.fail("it went on")
    assert stopped.value.signal == number
    assert stopped.value.where == ""
    assert signal.getsignal(number) is handler
    assert not requested()


def test_it_waits_for_a_safe_point():
    done = []
    with pytest.raises(Interrupted) as stopped, listening(), deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("went on")
        stop_if_requested("step 3")
        done.append("went on too far")
    assert done == ["went on"]
    assert stopped.value.where == "step 3"


def test_it_waits_for_the_end_of_the_block_at_most():
    done = []
    with pytest.raises(Interrupted), listening():
        with deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("inside")
        done.append("after")
    assert done == ["inside"]


def test_nobody_takes_it_for_an_error():
    assert not issubclass(Interrupted, Exception)


DEAF = """
import os, signal
from pam.durable import stopping
with stopping.listening(), stopping.deferred():
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    print("still there", flush=True)
    stopping.SAME_REQUEST_S = 0.0
    os.kill(os.getpid(), signal.SIGTERM)
    print("and still", flush=True)
"""


def test_a_second_signal_ends_it_at_once_but_not_the_echo_of_the_first():
    program = [sys.executable, "-c", DEAF]
    done = subprocess.run(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert (done.stdout, done.returncode) == ("still there\n", -signal.SIGTERM)


FAMILY = """
import os, subprocess, sys
job = '''
import os, time
from pam.durable import stopping
stopping.WATCH_S = 0.02
stopping.stop_with_workflow()
with stopping.listening():
    print(os.getpid(), flush=True)
    time.sleep(60)
'''
pid = str(os.getpid()) if sys.argv[1] == "workflow" else "1"
child = subprocess.Popen([sys.executable, "-c", job], env=os.environ | {"PAM_RUN_PID": pid},
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
print(child.stdout.readline().strip(), flush=True)
input()
"""


@pytest.mark.parametrize(("starter", "stays"), [("workflow", False), ("shell", True)])
def test_a_job_ends_with_its_workflow_and_with_nobody_else(starter, stays):
    parent = subprocess.Popen(
        [sys.executable, "-c", FAMILY, starter],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        job = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + (0.5 if stays else 20)
    while runs(job) and time.monotonic() < until:
        time.sleep(0.02)
    assert runs(job) is stays
    if stays:
        os.kill(job, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Whether a process runs; nobody may be there to collect a dead one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as handle:
            return handle.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
