"""Forked jobs behave as processes of their own: streams, folder, exit codes, signals, deaths."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pam.cli.warm import SOCKET
from pam.source.modules import ROOT

SERVER = """
import os, sys
from pam.cli.warm.server import Server
job = Server(sys.argv[1]).serve(os.getppid())
if job is not None:
    os.chdir(job["folder"])
    os.environ.update(job["environment"])
    exec(job["words"][0])
"""
CLIENT = """
import os, sys
from pam.cli.warm.client import run
os.environ["PAM_WARM"] = sys.argv[1]
sys.exit(run(sys.argv[2:]))
"""
WAITING = """
import signal, sys, time
def stop(*_):
    print("stopped", flush=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def server(tmp_path):
    path = tmp_path / "jobs"
    process = subprocess.Popen([sys.executable, "-c", SERVER, path], cwd=ROOT)
    wait_until(path.exists)
    process.path = path
    yield process
    process.kill()
    process.wait()


def client(server, program: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, server.path, program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **{"env": os.environ | {"PYTHONPATH": str(ROOT)}, **options},
    )


def wait_until(true, patience: float = 20.0) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_streams_folder_environment_and_exit_code(server, tmp_path):
    program = (
        "import os, sys; print(os.getcwd(), os.environ['COLOUR'], input());"
        "print('said', file=sys.stderr); sys.exit(7)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLOUR": "green"}
    one = client(server, program, cwd=tmp_path, env=environment, stdin=subprocess.PIPE)
    assert one.communicate("word\n") == (f"{tmp_path} green word\n", "said\n")
    assert one.returncode == 7


def test_many_at_once_and_none_disturbs_another(server):
    codes = [3, 0, 250]
    jobs = [client(server, f"import os, time; time.sleep(0.2); os._exit({n})") for n in codes]
    assert [job.wait() for job in jobs] == codes


def test_a_fork_that_is_killed_ends_its_client_as_a_shell_has_it(server):
    assert client(server, "import os; os.kill(os.getpid(), 9)").wait() == 128 + 9


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_fork_and_its_exit_code_comes_back(server, number):
    one = client(server, WAITING.replace("SIGTERM", signal.Signals(number).name))
    assert one.stdout.readline() == "ready\n"
    one.send_signal(number)
    assert one.communicate(timeout=20)[0] == "stopped\n"
    assert one.returncode == 5


def test_a_fork_ends_with_its_client(server):
    one = client(server, WAITING)
    assert one.stdout.readline() == "ready\n"
    one.kill()
    # The fork holds the other end of the pipe: what it says last is read after the client's death.
    assert one.stdout.read() == "stopped\n"


def test_a_client_whose_server_is_killed_stops_its_fork_and_says_so(server):
    one = client(server, WAITING)
    assert one.stdout.readline() == "ready\n"
    server.kill()
    out, err = one.communicate(timeout=20)
    assert (out, err) == ("stopped\n", "pam: error: the process that starts jobs has ended\n")
    assert one.returncode == 1


def test_the_server_ends_with_its_parent(tmp_path):
    path = tmp_path / "jobs"
    starter = (
        "import subprocess, sys, time;"
        "print(subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]]).pid, flush=True);"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", starter, SERVER, path]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    pid = int(parent.stdout.readline())
    wait_until(path.exists)
    parent.kill()
    parent.wait()

    def gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    wait_until(gone)


def pam(*words: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pam.cli", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | environment
    )


def test_without_a_server_a_command_runs_as_ever(tmp_path):
    assert pam("--version", PAM_WARM="").stdout.startswith("pam ")
    assert pam("--version", PAM_WARM=str(tmp_path / "nothing")).stdout.startswith("pam ")


def test_with_a_closed_stream_a_command_runs_as_ever(server):
    shell = f'exec "{sys.executable}" -m pam.cli --version <&-'
    environment = os.environ | {SOCKET: str(server.path)}
    done = subprocess.run(
        ["sh", "-c", shell], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pam ")


def test_the_command_line_through_a_server_is_the_same(tmp_path):
    path = str(tmp_path / "jobs")
    server = subprocess.Popen([sys.executable, "-m", "pam.cli.warm.server", path], cwd=ROOT)
    try:
        wait_until(lambda: os.path.exists(path))
        for words in (("--version",), ("merge",), ("config", "--config", "nothing.yaml")):
            cold, warm = pam(*words), pam(*words, **{SOCKET: path})
            assert (warm.returncode, warm.stdout, warm.stderr) == (
                cold.returncode,
                cold.stdout,
                cold.stderr,
            )
    finally:
        server.terminate()
        server.wait()
