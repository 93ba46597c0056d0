"""The whole workflow on the smoke profile: complete, repeatable, and redone only where needed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pam.config import load_config
from pam.durable.locks import RUN_LOCK, hold
from pam.files import file_hash, read_sealed, write_sealed
from pam.reporting.schema import TABLES
from pam.runs.cells import Cell, all_cells, cells_of
from pam.runs.paths import Paths
from pam.source.modules import ROOT
from tests.trees import MEASURED_ANEW, fresh_tree

pytestmark = pytest.mark.more

CONFIG = load_config(ROOT / "workflow" / "config" / "smoke.yaml")
PATHS = Paths("results/smoke")
LAST_STEPS = {"Gathering the rows of all jobs", "Writing the tables", "Drawing the figures"}


def run(tree: Path, *command: str) -> subprocess.CompletedProcess:
    """Run Python in a tree."""
    return subprocess.run(
        [sys.executable, *command], cwd=tree, capture_output=True, text=True, timeout=900
    )


def snakemake(tree: Path, *arguments: str, settings: tuple[str, ...] = ("profile=smoke",)) -> str:
    """Run Snakemake in a tree and return what it said, whether it succeeded or not."""
    profiles = [f"--profile=workflow/profiles/{name}" for name in ("default", "ci")]
    done = run(tree, "-m", "snakemake", *profiles, *arguments, "--config", *settings)
    return done.stdout + done.stderr


def planned(tree: Path, *settings: str) -> set[str]:
    """Return the messages of the jobs that Snakemake would run."""
    said = snakemake(tree, "--dry-run", settings=("profile=smoke", *settings))
    assert "This was a dry-run" in said or "Nothing to be done" in said, said
    return set(re.findall(r"^Job \d+: (.*)$", said, re.MULTILINE))


@contextmanager
def edited(path: Path, pattern: str, replacement: str) -> Iterator[None]:
    """Replace the first match in a file, and put it back."""
    before = path.read_text(encoding="utf-8")
    after = re.sub(pattern, replacement, before, count=1)
    assert after != before
    path.write_text(after, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def reproduce(tree: Path, *arguments: str) -> subprocess.CompletedProcess:
    return run(tree, "workflow/reproduce.py", "--profile", "smoke", "--cores", "2", *arguments)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A tree in which the smoke profile has run once."""
    tree = fresh_tree(tmp_path_factory.mktemp("once"))
    done = reproduce(tree, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    return tree


@pytest.fixture
def empty_tree(tmp_path) -> Path:
    return fresh_tree(tmp_path)


def test_a_dry_run_lists_every_job(empty_tree):
    # Pruning and measuring are one job.
    assert len(planned(empty_tree)) == len(all_cells(CONFIG)) - len(cells_of(CONFIG, "measure"))


def test_an_unknown_profile_is_one_sentence(empty_tree):
    said = snakemake(empty_tree, "--dry-run", settings=("profile=quik",))
    assert "workflow/config/quik.yaml does not exist; did you mean 'quick.yaml'?" in said
    done = run(empty_tree, "workflow/reproduce.py", "--profile", "quik")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "did you mean 'quick.yaml'?" in done.stderr


def test_an_unknown_setting_or_method_is_named(empty_tree):
    said = snakemake(empty_tree, "--dry-run", settings=("profile=smoke", "data_rot=x"))
    assert "unknown --config key 'data_rot'" in said
    with edited(empty_tree / "workflow/config/smoke.yaml", r"taylor:", "tailor:"):
        done = reproduce(empty_tree)
    assert done.returncode == 2
    assert "no module of pam.pruning registers 'tailor'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_parsing_imports_no_torch(empty_tree):
    (empty_tree / "torch.py").write_text("raise ImportError('torch must not be imported here')\n")
    assert len(planned(empty_tree)) > 0


def test_a_run_leaves_every_result(tree):
    for name in TABLES:
        assert (tree / PATHS.csv(name)).stat().st_size > 0
    assert (tree / PATHS.manifest).is_file()
    assert list((tree / PATHS.record(Cell("tables"))).glob("*.md"))
    assert list((tree / "figures/smoke").glob("*.png"))
    assert list((tree / "figures/smoke").glob("*.svg"))


def test_a_second_run_does_nothing_and_says_so(tree):
    assert planned(tree) == set()
    before = {path: path.stat().st_mtime_ns for path in (tree / "results").rglob("*")}
    done = reproduce(tree)
    assert done.returncode == 0
    assert done.stdout.startswith("Everything is up to date: profile smoke has nothing left")
    assert before == {path: path.stat().st_mtime_ns for path in (tree / "results").rglob("*")}


def test_two_runs_write_the_same_bytes_and_say_how_far_they_are(tree, empty_tree):
    done = reproduce(empty_tree)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(r"^(\d+) of \d+ jobs done \(\d+ %\), about \S+ \w+ left$", done.stderr, re.M)
    assert len(told) > 1 and told == sorted(told, key=int)
    for name in set(TABLES) - MEASURED_ANEW:
        one, other = ((folder / PATHS.csv(name)).read_bytes() for folder in (tree, empty_tree))
        assert one == other, f"{name}.csv differs"


def test_a_changed_pruner_redoes_its_own_cells_only(tree):
    expected = {
        f"{cell.experiment}: {does} {cell.merging} + taylor, seed {cell.seed}"
        for stage, does in (("prune", "pruning and measuring"), ("analyse", "analysing"))
        for cell in cells_of(CONFIG, stage)
        if cell.pruning == "taylor"
    }
    pruner = tree / "pam/pruning/taylor.py"
    with edited(pruner, r"interval: Count = \d+", "interval: Count = 7"):
        assert planned(tree) == expected | LAST_STEPS


def test_another_folder_of_raw_data_redoes_nothing(tree):
    assert planned(tree, "data_root=/somewhere/else") == set()


def test_a_lock_left_by_a_killed_run_is_no_obstacle(tree):
    (tree / PATHS.csv("measurements")).unlink()
    locks = tree / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text(f"{PATHS.csv('measurements')}\n")
    assert "Error: Directory cannot be locked" in snakemake(tree)
    done = reproduce(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert planned(tree) == set()


def test_two_runs_never_work_in_one_folder(tree):
    lock = hold(tree / RUN_LOCK)
    try:
        done = reproduce(tree)
    finally:
        os.close(lock)
    assert done.returncode == 2
    assert "another run is active in this folder" in done.stderr


def test_a_failed_cell_fails_a_strict_run_only(tree):
    failures, manifest = tree / PATHS.csv("failures"), tree / PATHS.manifest
    before = failures.read_text(encoding="utf-8"), manifest.read_text(encoding="utf-8")
    assert before[0].count("\n") == 1
    failures.write_text(before[0] + "digits_lenet5,pam,taylor,0,collapsed,task A is cut off,x\n")
    content = read_sealed(manifest)
    write_sealed(manifest, content | {"csv": content["csv"] | {"failures": file_hash(failures)}})
    try:
        assert reproduce(tree).returncode == 0
        strict = reproduce(tree, "--strict")
    finally:
        failures.write_text(before[0])
        manifest.write_text(before[1])
    assert strict.returncode == 1
    assert "task A is cut off" in strict.stdout
