"""The house around the library: pins that agree, commands that explain themselves."""

import os
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

import pam
from pam.config import load_config
from pam.source.modules import ROOT

PIN = re.compile(r"([a-z0-9-]+)==([0-9][A-Za-z0-9.]*)")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [PIN.fullmatch(line) for line in lines if line and not line.startswith("#")]
    assert all(pins), "every line of requirements.lock is name==version"
    return dict(pin.groups() for pin in pins)


def test_conda_and_pip_install_the_same_versions():
    rules, project = (
        yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["dependencies"]
        for name in ("workflow/envs/pam.yml", "environment.yml")
    )
    assert rules[:2] == project[:2] == ["python=3.11", "pip"]
    assert dict(PIN.fullmatch(pin).groups() for pin in rules[2]["pip"]) == locked()
    assert project[2] == {"pip": ["-r requirements.lock", "-e ."]}


def test_every_dependency_of_the_project_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
        *project["build-system"]["requires"],
    ]
    names = {normal(re.match(r"[A-Za-z0-9._-]+", one).group()) for one in needed}
    assert names <= set(locked())


def test_the_version_is_said_once_in_effect():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == pam.__version__
    assert re.search(r"^## (\S+)", changes, re.MULTILINE).group(1) == pam.__version__


def test_the_lock_holds_no_version_of_one_machine_only():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"^[^#]*(\+cpu|@|file:|https?:)", text, re.MULTILINE)


def make(*arguments: str, cwd=ROOT) -> subprocess.CompletedProcess:
    """Run make as from a shell of its own, also where make runs the tests."""
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROFILE", "PYTHON", "VENV")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_make_help_names_every_command_and_profile():
    shown = make("help").stdout
    targets = ["reproduce", "status", "figures", "report", "check", "docs", "test", "test-more"]
    for target in [*targets, "test-cluster", "bench", "lint", "environment", "clean-results"]:
        assert f"make {target} " in shown
    for profile in (ROOT / "workflow" / "config").glob("*.yaml"):
        assert profile.stem in shown
    assert make().stdout == shown


@pytest.mark.parametrize("profile", ["../results", "a b", "'; echo", ""])
def test_a_profile_is_a_plain_word(profile):
    done = make("help", f"PROFILE={profile}")
    assert done.returncode == 2
    assert "PROFILE must be the name of a file in workflow/config/" in done.stderr


def test_make_without_a_python_says_what_to_do(tmp_path):
    done = make("environment", f"VENV={tmp_path}/venv", "PYTHON=/nowhere/python3")
    assert done.returncode == 2
    assert "no Python >= 3.11 with its venv module found" in done.stderr


def test_the_environment_is_made_again_only_for_another_lock_file(tmp_path):
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)

    def would_install() -> bool:
        return "pip install" in make("environment", "--dry-run", cwd=tmp_path).stdout

    assert would_install()
    size = subprocess.run(
        "cksum < requirements.lock", shell=True, cwd=tmp_path, capture_output=True, text=True
    ).stdout.split()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / f".ready-{'-'.join(size)}").touch()
    (tmp_path / "requirements.lock").touch()
    assert not would_install()
    with (tmp_path / "requirements.lock").open("a") as lock:
        lock.write("another==1.0\n")
    assert would_install()


def test_clean_results_keeps_the_reference(tmp_path):
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("results/quick", "results/reference", "figures/reference", "logs/quick"):
        (tmp_path / folder).mkdir(parents=True)
    assert make("clean-results", cwd=tmp_path).returncode == 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")}
    assert left == {"results/reference", "figures/reference"}


@pytest.mark.parametrize("path", sorted((ROOT / "workflow" / "config").glob("*.yaml")))
def test_every_profile_is_a_valid_configuration(path):
    config = load_config(path)
    for experiment in config.experiments.values():
        if experiment.merging or experiment.pruning:
            assert {"none", "pam"} <= set(experiment.merging)
            assert experiment.pruning
        else:
            assert experiment.relatedness
        assert all(row.path or len(row.strengths) >= 3 for row in experiment.pruning.values())
    compared = [set(experiment.merging) for experiment in config.experiments.values()]
    assert any({"none", "mtz", "pam"} <= mergings for mergings in compared)
    assert len(config.seeds) >= 2


def test_every_profile_is_described():
    text = (ROOT / "workflow" / "config" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "workflow" / "config").glob("*.yaml"):
        assert f"`{path.stem}`" in text


def test_ci_run_is_a_valid_script_that_runs_all_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    called = re.findall(r"\brun_tests ([\w-]+)", script.read_text(encoding="utf-8"))
    assert called == ["test", "test-cluster", "test-more"]


@pytest.mark.parametrize("target", ["reproduce", "status", "figures", "report", "check"])
def test_make_passes_the_profile_on(target):
    said = make("--dry-run", target, "PROFILE=smoke").stdout
    assert re.search(r"results/smoke\b|--profile smoke\b", said)
