"""Whole runs that are killed, or meet a full or a read-only disk, end as if undisturbed.

The long version is ``make test-reliability``.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.reliability.kill_runs import VICTIMS, killed_run, undisturbed, working_in
from tests.trees import csv_bytes, fresh_tree, start

pytestmark = pytest.mark.more

TINY = Path(__file__).parent / "tiny.yaml"
ROOM_KB = 400


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("undisturbed"), TINY)


def run(tree: Path, log: Path) -> tuple[int, str]:
    """Run to the end and return the exit code and what was said, for which ``log`` is used."""
    log.unlink(missing_ok=True)
    code = start(tree, "tiny", log).wait(1800)
    return code, log.read_text(encoding="utf-8")


@pytest.mark.parametrize(("kills", "victims"), [(3, ["group"]), (3, VICTIMS[1:])])
def test_a_killed_run_ends_as_if_undisturbed(kills, victims, reference, tmp_path):
    killed, _ = killed_run(tmp_path / "run", TINY, reference, kills, random.Random(1), victims)
    assert killed.total() > 0


def jobs_in(tree: Path) -> list[psutil.Process]:
    return [process for process in working_in(tree) if "pam.cli" in process.info["cmdline"]]


def wait_for(condition, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 600
    while not condition():
        assert process.poll() is None and time.monotonic() < until, log.read_text(encoding="utf-8")
        time.sleep(0.05)


def test_a_stopped_run_stops_its_jobs_and_goes_on(reference, tmp_path):
    tree, log = fresh_tree(tmp_path / "run", TINY), tmp_path / "log"
    process = start(tree, "tiny", log, PAM_CHECKPOINT_EVERY="0")
    wait_for(lambda: any(tree.rglob(".checkpoints/*/*.safetensors")), process, log)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    said = log.read_text(encoding="utf-8")
    assert said.endswith(
        "make reproduce: stopped by SIGTERM; the same command goes on from there\n"
    )
    assert "pam train: stopped by SIGTERM at epoch " in said
    assert not working_in(tree)

    # Ctrl-C: the terminal sends it to all processes of the group.
    process = start(tree, "tiny", log)
    wait_for(lambda: jobs_in(tree), process, log)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    said = log.read_text(encoding="utf-8")
    assert said.endswith("make reproduce: stopped by SIGINT; the same command goes on from there\n")
    assert not working_in(tree)

    code, said = run(tree, log)
    assert code == 0, said
    assert csv_bytes(tree, "tiny") == reference.csvs


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own whose size can be changed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    try:
        mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--recursive", "--lazy", folder], check=True)


def test_a_full_and_a_read_only_disk_are_said_and_do_no_harm(small_disk, reference, tmp_path):
    tree, log = fresh_tree(small_disk / "run", TINY), tmp_path / "log"
    used = shutil.disk_usage(small_disk).used // 1024
    mount("-o", f"remount,size={used + 1024 + ROOM_KB}k", small_disk)
    code, said = run(tree, log)
    assert code == 1
    assert "No space left on device" in said
    # Now there is not even room for a start.
    filler = small_disk / "filler"
    with pytest.raises(OSError), open(filler, "wb") as handle:
        while True:
            handle.write(bytes(4096))
            handle.flush()
    code, said = run(tree, log)
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("make reproduce: cannot write ")
    assert said.endswith(": No space left on device\n")
    filler.unlink()

    mount("-o", "remount,size=64m", small_disk)
    results = tree / "results"
    mount("--bind", results, results)
    mount("-o", "remount,ro,bind", results)
    code, said = run(tree, log)
    assert (code, said) == (2, "make reproduce: cannot write results/tiny: Read-only file system\n")

    subprocess.run(["umount", results], check=True)
    code, said = run(tree, log)
    assert code == 0, said
    assert csv_bytes(tree, "tiny") == reference.csvs
