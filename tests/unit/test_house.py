"""The house around the library: pins that agree, commands that explain themselves."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import pam
from pam.config import load_config
from pam.source.modules import ROOT

PIN = re.compile(r"([a-z0-9-]+)==([0-9][A-Za-z0-9.]*)")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str = "requirements.lock") -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [PIN.fullmatch(line) for line in lines if line and not line.startswith("#")]
    assert all(pins), f"every line of {name} is name==version"
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
    needed = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["dev"],
        *PROJECT["build-system"]["requires"],
    ]
    names = {normal(re.match(r"[A-Za-z0-9._-]+", one).group()) for one in needed}
    assert names <= set(locked())


@pytest.mark.parametrize("extra", ["bench", "cluster", "docs"])
def test_the_lock_of_an_extra_adds_what_it_needs_alone(extra):
    pins = set(locked(f"requirements-{extra}.lock"))
    asked = {normal(name) for name in PROJECT["project"]["optional-dependencies"][extra]}
    # Whatever else the peers need is locked for all.
    assert asked == pins if extra == "bench" else asked <= pins
    assert not pins & set(locked())


def test_the_version_is_said_once_in_effect():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == pam.__version__
    assert re.search(r"^## (\S+)", changes, re.MULTILINE).group(1) == pam.__version__


def test_the_lock_holds_no_version_of_one_machine_only():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"^[^#]*(\+cpu|@|file:|https?:)", text, re.MULTILINE)


def make(*arguments: str, cwd=ROOT, **settings: str) -> subprocess.CompletedProcess:
    """Run make as from a shell of its own, also where make runs the tests."""
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PROFILE", "PYTHON", "VENV")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment | settings, capture_output=True, text=True
    )


def checkout(folder: Path) -> Path:
    """What make needs to know what it would do."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


def mark_ready(folder: Path) -> None:
    """As if the environment were made."""
    size = subprocess.run(
        "cksum < requirements.lock", shell=True, cwd=folder, capture_output=True, text=True
    ).stdout.split()
    (folder / ".venv").mkdir()
    (folder / ".venv" / f".ready-{'-'.join(size)}").touch()


def test_make_help_names_every_command_and_profile():
    shown = make("help").stdout
    targets = ["reproduce", "status", "figures", "report", "check", "docs", "test", "test-more"]
    for target in [*targets, "test-cluster", "bench", "lint", "environment", "clean-results"]:
        assert f"make {target} " in shown
    for profile in (ROOT / "workflow" / "config").glob("*.yaml"):
        assert profile.stem in shown
    assert make().stdout == shown


SAYS = "must be the name of a file in workflow/config/"
SETTINGS = {
    **{f"PROFILE={name}": SAYS for name in ("../results", "x';touch f;'", "x\ny", "$(F)", "")},
    "CORES=2;touch f": "CORES must be letters, digits and _./,:=+-@~, not '2;touch f'",
    "VENV=$(F)": "VENV must be letters",
    "PYTHON=`touch f`": "PYTHON must be letters",
    "BENCH=a&touch f": "BENCH must be letters",
    "LATENCY=--out $(F)": "LATENCY must be letters",
    "STRICT=$(F)": "STRICT must be letters",
    "SEEDS=0\ntouch f": "SEEDS must be one line",
    "DATA=x\ntouch f": "DATA must be one line",
    **{f"{name}=$(F)": "" for name in ("DATA", "CI")},
    "DATA=';touch f;'": "",
    "DATA=`touch f`": "",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_no_code(setting, tmp_path):
    """Neither on the command line nor in the environment, whether jobs run or are only shown."""
    checkout(tmp_path)
    name, _, value = setting.replace("$(F)", "$(shell touch f)").partition("=")
    words = ["-n", "reproduce", "status", "bench", "test-more", "help"]
    # What is refused is refused before anything is looked at.
    for some in (words[-1:],) if SETTINGS[setting] else (words, words[-1:]):
        on_the_line = make(*some, f"{name}={value}", cwd=tmp_path)
        around = make(*some, cwd=tmp_path, **{name: value})
        for done in (on_the_line, around):
            assert done.returncode == (2 if SETTINGS[setting] else 0), done.stderr
            assert SETTINGS[setting] in done.stderr
        assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("data", ["it's here", 'my {x} 100% $HOME "y" \\', "#a*b", "-x", "~/raw"])
def test_a_folder_of_data_may_have_any_name(data, tmp_path):
    """The command gets the name letter by letter."""
    folder = checkout(tmp_path)
    mark_ready(folder)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    for command in ("status", "reproduce"):
        done = make(command, f"DATA={data}", cwd=folder)
        assert f"--data={data}" in done.stdout.splitlines()


def test_make_without_a_python_says_what_to_do(tmp_path):
    done = make("environment", f"VENV={tmp_path}/venv", "PYTHON=/nowhere/python3")
    assert done.returncode == 2
    assert "no Python >= 3.11 with its venv module found" in done.stderr


def test_the_environment_is_made_again_only_for_another_lock_file(tmp_path):
    checkout(tmp_path)

    def would_install() -> bool:
        return "pip install" in make("environment", "--dry-run", cwd=tmp_path).stdout

    assert would_install()
    mark_ready(tmp_path)
    (tmp_path / "requirements.lock").touch()
    assert not would_install()
    with (tmp_path / "requirements.lock").open("a") as lock:
        lock.write("another==1.0\n")
    assert would_install()


def test_clean_results_keeps_the_reference(tmp_path):
    checkout(tmp_path)
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
    assert any({"none", "pam"} < mergings for mergings in compared)
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


TARGETS = ("reproduce", "status", "figures", "report", "check", "clean-networks")


@pytest.mark.parametrize("target", TARGETS)
def test_make_passes_the_profile_on(target):
    said = make("--dry-run", target, "PROFILE=smoke").stdout
    assert re.search(r"results/smoke\b|--profile smoke\b", said)


def test_no_page_is_too_long_to_read_at_once():
    pages = [ROOT / "workflow/config/README.md", *(ROOT / "docs").glob("*.md")]
    words = {
        page.name: sum(len(line.split()) for line in lines if not line.startswith("|"))
        for page in pages
        if (lines := page.read_text(encoding="utf-8").splitlines())
    }
    assert {name: n for name, n in words.items() if n > 2500} == {}
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120
