"""Signals: at once, at the next safe point, or for good; and a job that outlives its workflow."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

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
from pam.durable.stopping import this_workflow
told = this_workflow() if sys.argv[1] == "workflow" else "1 1 elsewhere"
child = subprocess.Popen([sys.executable, "-c", job], env=os.environ | {"PAM_RUN": told},
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
    assert soon(lambda: not runs(job), 0.5 if stays else 20) is not stays
    if stays:
        os.kill(job, signal.SIGKILL)


WORKFLOW = """
import os, subprocess, sys
from pam.durable.stopping import RUN, this_workflow
told = this_workflow()
if sys.argv[1] == "elsewhere":
    told = told.rpartition(" ")[0] + " elsewhere"
job = [sys.executable, "-c", sys.argv[2]]
subprocess.Popen(job, env=os.environ | {RUN: told})
"""
LATE = """
import os, time
while os.getppid() == int(os.environ["PAM_RUN"].split()[0]):
    time.sleep(0.01)
from pam.durable.stopping import stop_with_workflow
stop_with_workflow()
open("PATH", "w").close()
"""


@pytest.mark.parametrize(("where", "goes_on"), [("here", False), ("elsewhere", True)])
def test_a_workflow_may_be_gone_before_its_job_first_looks(where, goes_on, tmp_path):
    done = tmp_path / "done"
    late = LATE.replace("PATH", str(done))
    # The workflow ends at once; its job first looks after that.
    subprocess.run([sys.executable, "-c", WORKFLOW, where, late], cwd=ROOT, check=True)
    assert soon(done.exists, 20 if goes_on else 1) is goes_on


STARTER = """
import subprocess, sys
run = '''
import os, sys
sys.path.insert(0, "workflow")
from children import Children
child = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
Children(int(sys.argv[1]) and os.getppid()).run([sys.executable, "-c", child])
'''
started = subprocess.Popen([sys.executable, "-c", run, sys.argv[1]])
print(started.pid, flush=True)
input()
"""


@pytest.mark.parametrize(
    ("killed", "ends"), [("make", True), ("reproduce", True), ("shell", False)]
)
def test_a_killed_starter_takes_all_with_it_but_a_shell_that_ends_does_not(killed, ends):
    """``make``, what it starts, and Snakemake below that."""
    words = [sys.executable, "-c", STARTER, "0" if killed == "shell" else "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, cwd=ROOT, text=True, **pipes) as top:
        started, child = (int(top.stdout.readline()) for _ in range(2))
        os.kill(started if killed == "reproduce" else top.pid, signal.SIGKILL)
        top.stdin.close()
    soon(lambda: not (runs(started) or runs(child)), 20 if ends else 1)
    assert (runs(started), runs(child)) == (not ends, not ends)
    if not ends:
        os.kill(started, signal.SIGKILL)


def soon(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition comes true within so many seconds."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def runs(pid: int) -> bool:
    """Whether a process runs; nobody may be there to collect a dead one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as handle:
            return handle.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
