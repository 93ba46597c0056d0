"""docs/extending.md: its files, installed as a package of their own, do what the page says."""

import re
import tomllib
from pathlib import Path

import pytest

from pam.source.modules import ROOT
from tests.unit.test_plugins_discovery import install, python

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILE = re.compile(r"```(?:python|toml|yaml)\n# (\S+)\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^\.venv/bin/pam (conform .*)$", re.MULTILINE)
FILES = dict(FILE.findall(PAGE))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder for sys.path that holds what pip would install."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    install(folder, "my_plugins", project["entry-points"]["pam.plugins"], {})
    return folder


def test_the_page_shows_a_file_of_every_kind_and_checks_each():
    modules = {f"my_plugins/{name}.py" for name in ("active", "quiet", "bars", "shallow")}
    assert modules | {"pyproject.toml", "workflow/config/mine.yaml"} == set(FILES)
    checked = {command.split()[1] for command in COMMAND.findall(PAGE)}
    assert checked == {"--merger", "--pruner", "--dataset", "--architecture"}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=[pytest.mark.more] * ("--merger" not in command))
        for command in COMMAND.findall(PAGE)
    ],
)
def test_every_plugin_of_the_page_conforms(site, command):
    done = python(site, "-m", "pam.cli", *command.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"= \d+ passed in ", done.stdout)


def test_the_profile_of_the_page_is_valid(site):
    profile = site / "workflow" / "config" / "mine.yaml"
    done = python(site, "-m", "pam.cli", "config", "--config", str(profile), "--check")
    assert done.returncode == 0, done.stderr
    # 2 seeds x (2 tasks; 5 mergings; 5 mergings x 2 prunings).
    assert "4 train, 10 merge, 20 prune, 20 measure" in done.stdout


def test_a_wrong_option_of_a_plugin_is_refused_with_its_range(site, tmp_path):
    text = FILES["workflow/config/mine.yaml"].replace("share_above: 0.2", "share_above: 2")
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    done = python(site, "-m", "pam.cli", "config", "--config", str(path), "--check")
    assert done.returncode == 2
    assert "merging.active_most.share_above: must be less than or equal to 1, not 2" in done.stderr


def test_tables_and_figures_call_a_plugin_by_its_title_and_import_nothing(site):
    code = """
import sys
from pam.config import load_config
from pam.registry import MERGER, PRUNER
from pam.reporting.names import Names
names = Names(load_config(sys.argv[1]).model_dump())
print(names.merging("active"), names.merging("active_most"), names.pruning("quiet"), sep="|")
print(names.dataset("bars"), names.architecture("shallow"), sep="|")
print(*names.order_mergings(["pam", "active_most", "mtz", "active", "none"]), sep="|")
print(*names.citations({MERGER: ["pam", "none", "active_most", "active"], PRUNER: ["quiet"]}))
print(names.citations({PRUNER: ["quiet"]}))
assert "torch" not in sys.modules and "my_plugins" not in sys.modules
"""
    done = python(site, "-c", code, str(site / "workflow" / "config" / "mine.yaml"))
    assert done.stdout.splitlines() == [
        "Active|Active most|Quiet first",
        "bright bars|Shallow",
        "none|mtz|active|active_most|pam",
        "Sources: Active (Mine et al., 2027), PAM (He et al., KDD 2021)",
        "[]",
    ], done.stderr
