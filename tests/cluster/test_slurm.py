"""The whole workflow through a real Slurm, on a bad day: the numbers are those of a local run."""

import importlib.util
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from pam.runs.paths import Paths
from pam.source.modules import ROOT
from tests.cluster.one_node import PARTITION, URGENT_PARTITION, OneNodeSlurm, missing
from tests.trees import commit, csv_bytes, fresh_tree

PLUGIN = "snakemake_executor_plugin_slurm"
PATHS = Paths("results/small")
# Far beyond what a quiet machine of two cores needs.
EVENT_SECONDS = 300
RUN_SECONDS = 1200
COMPUTING = ("prepare", "train", "merge", "prune", "relate", "analyse")


def why_not() -> str:
    if importlib.util.find_spec(PLUGIN) is None:
        return f"{PLUGIN} is not installed: run `make test-cluster`"
    return missing()


pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(why_not()), reason=f"no Slurm is started: {why_not()}"),
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[OneNodeSlurm]:
    slurm = OneNodeSlurm(tmp_path_factory.mktemp("slurm"))
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("trees")


def new_tree(folder: Path) -> Path:
    """Return a checkout of its own, with a small profile."""
    tree = fresh_tree(folder)
    shutil.copy(ROOT / ".gitignore", tree)
    commit(tree)
    smoke = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text(encoding="utf-8"))
    experiment = smoke["experiments"]["digits_lenet5"]
    del experiment["merging"]["mtz"], experiment["pruning"]["vibnet"]
    # A cluster is asked for a GPU, though this machine has none.
    small = smoke | {"seeds": [0], "device": "auto"}
    (tree / "workflow/config/small.yaml").write_text(yaml.safe_dump(small), encoding="utf-8")
    return tree


def set_site(tree: Path, **settings) -> None:
    """Write the settings of a site: quick looks at the queue, and what a test adds."""
    site = {
        "slurm-init-seconds-before-status-checks": 2,
        "latency-wait": 5,
        "default-resources": {"slurm_partition": PARTITION},
    }
    profile = tree / "workflow/profiles/site/profile.yaml"
    profile.parent.mkdir(exist_ok=True)
    profile.write_text(yaml.safe_dump(site | settings), encoding="utf-8")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "workflow/reproduce.py", "--profile=small", *arguments]


def reproduce(tree: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments), cwd=tree, capture_output=True, text=True, timeout=RUN_SECONDS
    )


def running(rule: str) -> list[str]:
    """Return the ids of the jobs of a rule that run just now."""
    lines = subprocess.run(
        ["squeue", "--noheader", "--states=running", "--format=%i %k"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [job for job, comment in map(str.split, lines) if comment.startswith(f"rule_{rule}_")]


def computing(rule: str, tree: Path) -> list[psutil.Process]:
    """Return the processes that compute cells of a rule."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if words[1:4] == ["-m", "pam.cli", rule] and process.info["cwd"] == str(tree):
            found.append(process)
    return found


def wait_for(look: Callable[[], list], how_many: int, run: subprocess.Popen) -> list:
    """Return what ``look`` finds, once it finds enough of it."""
    until = time.monotonic() + EVENT_SECONDS
    while len(found := look()) < how_many:
        assert run.poll() is None, "the run ended before"
        assert time.monotonic() < until, f"waited too long, last seen: {found}"
        time.sleep(0.2)
    return found


def have_a_bad_day(slurm: OneNodeSlurm, run: subprocess.Popen, tree: Path) -> dict[str, list[str]]:
    """Let go wrong what goes wrong on a cluster, and return which jobs it befell."""
    hung = wait_for(lambda: computing("relate", tree), 1, run)
    hung[0].send_signal(signal.SIGSTOP)
    befell = {"TIMEOUT": running("relate")}

    befell["PREEMPTED"] = wait_for(lambda: running("merge"), 2, run)
    urgent = ["--cpus-per-task=2", "--mem=100", "--output=/dev/null", "--wrap=sleep 1"]
    subprocess.run(["sbatch", f"--partition={URGENT_PARTITION}", *urgent], check=True)

    befell["CANCELLED"] = cancelled = []
    for _ in range(2):
        new = wait_for(lambda: [job for job in running("prune") if job not in cancelled], 1, run)
        subprocess.run(["scancel", new[0]], check=True)
        cancelled.append(new[0])

    # Jobs that start just then wait a minute for it; those that compute notice nothing.
    wait_for(lambda: computing("prune", tree), 1, run)
    slurm.stop_controller()
    slurm.start_controller()
    return befell


@pytest.fixture(scope="module")
def on_slurm(slurm, folder) -> tuple[Path, dict[str, list[str]], str]:
    """A tree in which all was computed on Slurm, what went wrong there, and what was said."""
    tree = new_tree(folder / "cluster")
    resources = {rule: {"runtime": 20, "mem_mb": 1500} for rule in COMPUTING}
    # Where the first attempt must fail. The urgent job does not push the hung one away.
    resources["relate"] |= {"runtime": "attempt * attempt", "slurm_partition": URGENT_PARTITION}
    resources["train"] |= {"mem_mb": "1500 if attempt > 1 or wildcards.task != 'B' else 150"}
    set_site(tree, **{"set-resources": resources})
    said = tree / "said.txt"
    with said.open("w") as out:
        run = subprocess.Popen(
            command("--cluster=slurm", "--strict"), cwd=tree, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        befell = have_a_bad_day(slurm, run, tree)
        run.wait(RUN_SECONDS)
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
            run.wait(60)
    assert run.returncode == 0, said.read_text(encoding="utf-8")
    return tree, befell, said.read_text(encoding="utf-8")


def test_the_numbers_are_those_of_a_local_run(on_slurm, folder):
    tree, _, _ = on_slurm
    local = new_tree(folder / "local")
    done = reproduce(local, "--cores=2", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert csv_bytes(tree, "small") == csv_bytes(local, "small")


def test_everything_went_wrong_that_should(on_slurm, slurm):
    tree, befell, said = on_slurm
    ended = {job["JobId"]: job for job in slurm.jobs()}
    for state in ("TIMEOUT", "CANCELLED"):
        assert {ended[job]["JobState"] for job in befell[state]} == {state}
    assert sum(ended[job]["Restarts"] == "1" for job in befell["PREEMPTED"]) >= 1
    logs = (tree / "logs/slurm").rglob("*.log")
    killed = [log for log in logs if "exceeded memory limit" in log.read_text(encoding="utf-8")]
    assert [log.parent.name for log in killed] == ["digits_lenet5_B_0"]
    assert slurm.log("slurmctld").count("Running as primary controller") == 2
    assert "Profile small is complete" in said


def test_jobs_get_what_their_rule_asks_for(on_slurm, slurm):
    jobs = {job["Comment"]: job for job in slurm.jobs() if "Comment" in job}
    prepare = jobs["rule_prepare_wildcards_digits_lenet5"]
    train = jobs["rule_train_wildcards_digits_lenet5_A_0"]
    for job in (prepare, train):
        assert (job["TimeLimit"], job["MinMemoryNode"]) == ("00:20:00", "1500M")
    assert train["TresPerJob"] == "gres:gpu:1"
    assert "TresPerJob" not in prepare


def test_a_second_run_has_nothing_to_do(on_slurm):
    tree, _, _ = on_slurm
    done = reproduce(tree, "--cluster=slurm")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("Everything is up to date")


def test_gpus_by_gres_and_the_numbers_of_the_profile(on_slurm, slurm):
    tree, _, _ = on_slurm
    record = tree / "results/small/measured/digits_lenet5/pam-taylor-0.json"
    record.unlink()
    (tree / PATHS.csv("measurements")).unlink()
    set_site(tree)
    before = {job["JobId"] for job in slurm.jobs()}
    done = reproduce(tree, "--cluster=slurm slurm_gres", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert record.exists()
    # What analyses a network is asked again after the job that measures it.
    new = {job["Comment"]: job for job in slurm.jobs() if job["JobId"] not in before}
    job = new["rule_prune_wildcards_digits_lenet5_pam_taylor_0"]
    assert (job["TimeLimit"], job["MinMemoryNode"]) == ("1-00:00:00", "8000M")
    assert job["TresPerNode"] == "gres:gpu:1"


def test_uncommitted_code_is_refused(on_slurm):
    tree, _, _ = on_slurm
    edited = tree / "pam/seeds.py"
    text = edited.read_text(encoding="utf-8")
    edited.write_text(text + "\nANOTHER = 1\n", encoding="utf-8")
    try:
        done = reproduce(tree, "--cluster=slurm")
    finally:
        edited.write_text(text, encoding="utf-8")
    assert done.returncode == 2
    assert "code differs from the commit, in pam/seeds.py" in done.stderr
    assert done.stderr.count("\n") == 1
