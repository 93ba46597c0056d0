"""What is checked before jobs go to Slurm, and what the profiles for it say; no Slurm is needed."""

import json
import os
import signal
import subprocess
import sys

import cluster
import pytest
import yaml

from pam import PamError
from pam.runs.cells import stage_code
from pam.runs.stages import STAGES
from pam.source.modules import ROOT
from tests.trees import commit

PROFILES = ROOT / "workflow" / "profiles"


def profile(name: str) -> dict:
    return yaml.safe_load((PROFILES / name / "profile.yaml").read_text(encoding="utf-8"))


def reproduce(*arguments: str, path: str) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "workflow/reproduce.py", "--profile=smoke", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": path}, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a function that puts a program of a given text on an otherwise empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name: str, text: str = "") -> None:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)

    return add


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A committed checkout that stands for this one."""
    tree = tmp_path / "tree"
    for name in ("pam/code.py", "workflow/rules/a.smk", "workflow/profiles/slurm/profile.yaml"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("one\n", encoding="utf-8")
    (tree / "Snakefile").write_text("one\n", encoding="utf-8")
    commit(tree)
    monkeypatch.setattr(cluster, "ROOT", tree)
    return tree


def test_without_slurm_one_sentence_says_so(tmp_path):
    done = reproduce("--cluster=slurm", path=str(tmp_path))
    assert done.returncode == 2
    assert "there is no sbatch on this machine" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("cores", ["abc", "0", "-1", "1.5", ""])
def test_cores_are_a_number_or_all(cores):
    done = reproduce(f"--cores={cores}", path=os.environ["PATH"])
    assert done.returncode == 2
    assert f"needs a whole number above 0, or all, not '{cores}'" in done.stderr


def test_without_the_plugin_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "ROOT", tmp_path)
    (tmp_path / "mine").mkdir()
    written = tmp_path / "mine" / "profile.yaml"
    written.write_text("executor: not-here\n", encoding="utf-8")
    with pytest.raises(PamError, match="package snakemake-executor-plugin-not-here, which is not"):
        cluster.check_engine(cluster.profiles("mine"))
    written.write_text("jobs: 2\n", encoding="utf-8")
    with pytest.raises(PamError, match="none of mine names an executor"):
        cluster.check_engine(cluster.profiles("mine"))
    for text in (b"- jobs", b"executor: 3", b"executor: [slurm", b"executor: \xe9"):
        written.write_bytes(text)
        with pytest.raises(PamError, match=str(written)):
            cluster.check_engine(cluster.profiles("mine"))
    with pytest.raises(PamError, match=r"no workflow/profiles/his/profile.yaml, and no his/prof"):
        cluster.profiles("his")


def test_the_profiles_of_a_cluster_end_with_the_site_s_own(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "ROOT", tmp_path)
    for name in ("slurm", "slurm_gres"):
        (tmp_path / cluster.PROFILES / name).mkdir(parents=True)
        (tmp_path / cluster.PROFILES / name / "profile.yaml").touch()
    names = ["workflow/profiles/slurm", "workflow/profiles/slurm_gres"]
    assert cluster.profiles("slurm slurm_gres") == names
    (tmp_path / cluster.SITE).mkdir()
    (tmp_path / cluster.SITE / "profile.yaml").touch()
    assert cluster.profiles("slurm slurm_gres") == [*names, "workflow/profiles/site"]
    with pytest.raises(PamError, match=r"there is no workflow/profiles/slrum/profile\.yaml"):
        cluster.profiles("slrum")


@pytest.mark.parametrize("path", ["pam/code.py", "workflow/rules/a.smk", "Snakefile", "pam/new.py"])
def test_code_that_differs_from_the_commit_is_refused(checkout, path):
    (checkout / path).write_text("two\n", encoding="utf-8")
    with pytest.raises(PamError, match=f"code differs from the commit, in {path}: commit it"):
        cluster.check_committed()


@pytest.mark.parametrize("path", ["config/mine.yaml", "profiles/slurm/profile.yaml"])
def test_a_configuration_or_a_profile_of_one_s_own_is_no_code(checkout, path):
    (checkout / "workflow" / path).parent.mkdir(exist_ok=True)
    (checkout / "workflow" / path).write_text("two\n", encoding="utf-8")
    cluster.check_committed()


def test_without_git_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "ROOT", tmp_path)
    cluster.check_committed()


def test_jobs_of_an_earlier_run_are_waited_for(programs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    others = r"7|pam_a|/somewhere/else\n8|bash|" + str(tmp_path)
    programs("squeue", f"printf '{others}\\n'")
    cluster.check_idle()
    programs("squeue", f"printf '{others}\\n11|pam_b|{tmp_path}\\n12|pam_b|{tmp_path}\\n'")
    with pytest.raises(PamError, match=r"2 jobs of an earlier run .* or `scancel 11 12`"):
        cluster.check_idle()


def test_a_slurm_that_does_not_answer_is_named(programs):
    programs("squeue", "exit 1")
    with pytest.raises(PamError, match="Slurm does not answer"):
        cluster.check_idle()


def test_jobs_know_the_code_of_every_stage():
    submitted = json.loads(cluster.environment()[cluster.SUBMITTED])
    assert submitted == {stage: stage_code(stage) for stage in STAGES}


SNAKEMAKE = """
import subprocess, time
below = subprocess.Popen(["sleep", "60"])
try:
    print("submitted", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("cancelled, and what tells Slurm so", "runs" if below.poll() is None else "was stopped")
    below.kill()
"""
SUBMIT = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/workflow"]
import cluster
submitting = cluster.Submitting()
submitting.run([sys.executable, "-c", sys.argv[2]])
print(submitting.stopped_by, flush=True)
"""


def test_a_run_that_is_told_to_stop_interrupts_snakemake_alone():
    command = [sys.executable, "-c", SUBMIT, str(ROOT), SNAKEMAKE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "submitted\n"
        run.terminate()
        said = run.communicate(timeout=60)[0]
    assert said == f"cancelled, and what tells Slurm so runs\n{signal.SIGTERM:d}\n"


@pytest.fixture(scope="module")
def computing() -> set[str]:
    """The rules that are jobs of a cluster: those that reserve threads by the configuration."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk")]
    rules = [part for text in texts for part in text.split("rule ")[1:]]
    return {rule.partition(":")[0] for rule in rules if "threads: CONFIG.threads" in rule}


@pytest.mark.parametrize("name", ["slurm", "slurm_gres"])
def test_every_job_has_a_time_and_a_memory_that_grow(name, computing):
    asked = profile(name)["set-resources"]
    assert set(asked) == computing
    for rule in asked.values():
        assert rule["runtime"].startswith("attempt * ")
        assert rule["mem_mb"].startswith("attempt * ")


def test_by_gres_jobs_ask_for_the_same_otherwise(computing):
    by_gpu, by_gres = (profile(name)["set-resources"] for name in ("slurm", "slurm_gres"))
    for rule in computing - {"prepare"}:
        assert by_gres[rule] == by_gpu[rule] | {"gpu": 0, "gres": "$PAM_GRES"}
    assert by_gres["prepare"] == by_gpu["prepare"]


def test_jobs_are_found_by_the_name_that_the_profile_gives_them():
    prefix = profile("slurm")["slurm-jobname-prefix"]
    assert f"{prefix}_" == cluster.JOB_NAMES


def test_attempts_are_counted_in_one_place_only():
    assert profile("slurm")["retries"] == 2
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        assert "retries:" not in path.read_text(encoding="utf-8")
