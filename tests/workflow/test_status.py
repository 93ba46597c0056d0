"""`make status` on a tree that has run once, with jobs that compute nothing."""

import base64
import os
from pathlib import Path

import pytest

from pam.config import Paths
from pam.durable.locks import RUN_LOCK, hold
from pam.files import read_json, write_json
from pam.source.modules import ROOT
from tests.trees import fresh_tree
from tests.workflow import running
from tests.workflow.running import edited

pytestmark = pytest.mark.more

PROFILE = """
seeds: [0]
experiments:
  tiny:
    dataset: digits
    architecture: lenet5
    train: {stages: [{epochs: 1, learning_rate: 0.02}]}
    merging: {none: {}, pam: {samples: 32}}
    pruning: {taylor: {strengths: [0.3, 0.5, 0.7]}}
  own:
    dataset: image_attributes
    data: {folder: mine}
    tasks: [A]
    architecture: lenet5
    train: {stages: [{epochs: 1, learning_rate: 0.02}]}
    merging: {}
    pruning: {}
    relatedness: {pam: {}}
"""
PICTURES = ("images/a.png", "images/b.png", "attributes.csv")
PATHS = Paths("results/tiny")
UP_TO_DATE = """\
Everything is up to date: profile tiny has nothing left to run.
prepare: all 2 up to date
train: all 3 up to date
merge: all 2 up to date
prune: all 2 up to date
measure: all 2 up to date
relate: up to date
aggregate: up to date
tables: up to date
figures: up to date
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    tree = fresh_tree(tmp_path_factory.mktemp("idle"))
    for name in PICTURES:
        path = tree / "data/mine/train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    running.run_idle(tree, PROFILE)
    (tree / "torch.py").write_text("raise ImportError('torch must not be imported here')\n")
    return tree


def status(tree: Path) -> str:
    # The tree's pam.cli.main only pretends to work.
    program = "from argparse import Namespace; from pam.cli.status import run; "
    program += "run(Namespace(profile='tiny', data=None))"
    done = running.run(tree, "-c", program)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_to_do_is_said(tree):
    before = {path: path.stat().st_mtime_ns for path in (tree / "results").rglob("*")}
    assert status(tree) == UP_TO_DATE
    assert before == {path: path.stat().st_mtime_ns for path in (tree / "results").rglob("*")}


def test_modules_keys_and_missing_files_are_named(tree):
    record = tree / PATHS.pruned("tiny", "none", "taylor", 0, suffix=".json")
    content = record.read_bytes()
    record.unlink()
    with (
        edited(tree / "pam/pruning/taylor.py", "interval: int = 10", "interval: int = 7"),
        edited(tree / "pam/reporting/figures/style.py", "#8A8A8A", "#8B8B8B"),
        edited(tree / "workflow/config/tiny.yaml", "samples: 32", "samples: 24"),
    ):
        lines = status(tree).splitlines()
    record.write_bytes(content)
    changed = "the code of pam.pruning.taylor changed"
    key = "merging.samples (32 -> 24) changed in the configuration"
    assert lines[0] == "Profile tiny: 8 jobs would run."
    assert lines[3].startswith(f"merge: 1 of 2 would run again: {key} since 20")
    assert lines[4] == "prune: 2 of 2 would run"
    assert {line.partition(" since")[0] for line in lines[5:7]} == {
        f"  1 again: missing: {record.relative_to(tree)}; {changed}",
        f"  1 again: {changed}; {key}",
    }
    assert lines[-2:] == [
        f"{stage}: would run again: the input is made anew" for stage in ("tables", "figures")
    ]


def test_changed_pictures_are_prepared_again_and_moved_ones_are_not(tree):
    pictures = tree / "data/mine/train"
    with edited(pictures / PICTURES[0], "a", "b"):
        lines = status(tree).splitlines()
    assert lines[0] == "Profile tiny: 6 jobs would run."
    assert lines[1].startswith("prepare: 1 of 2 would run again: the raw data changed since 20")
    assert lines[2] == "train: 1 of 3 would run again: the input is made anew"
    for name in PICTURES:
        os.utime(pictures / name)
    assert status(tree) == UP_TO_DATE
    pictures.rename(tree / "elsewhere")
    assert status(tree) == UP_TO_DATE


def test_beside_an_active_run_and_after_a_crash(tree):
    network = PATHS.network("tiny", "A", 0)
    marks = tree / ".snakemake" / "incomplete"
    mark = marks / base64.b64encode(network.encode()).decode()
    mark.touch()
    (tree / ".snakemake/locks/0.output.lock").write_text(f"{network}\n")
    lock = hold(tree / RUN_LOCK)
    try:
        beside = status(tree).splitlines()
    finally:
        os.close(lock)
    after = status(tree).splitlines()
    mark.unlink()
    (tree / ".snakemake/locks/0.output.lock").unlink()
    assert beside[0].startswith("A run is active in this folder")
    assert (
        beside[3]
        == "train: 1 of 3 would run again: running now, or left half done by an earlier run"
    )
    assert after[2] == "train: 1 of 3 would run again: left half done by a run that ended early"


def test_failed_cells_and_stale_references_are_told(tree):
    path = tree / PATHS.pruned("tiny", "pam", "taylor", 0, suffix=".json")
    record = read_json(path)
    write_json(path, record | {"status": "diverged", "reason": "the loss is not finite"})
    job = {"rule": "train", "experiment": "e", "architecture": "lenet5", "code_hash": "0" * 12}
    manifest = {"config": {"experiments": {"e": {}}}, "jobs": {"j": job}}
    write_json(tree / "results/reference/old/manifest.json", manifest)
    said = status(tree)
    write_json(path, record)
    assert "\n  pruned/tiny/pam-taylor-0: diverged: the loss is not finite\n" in said
    assert said.endswith("stale: results/reference/old (e) has rows of earlier code: train\n")


def test_an_unknown_profile_is_one_sentence():
    done = running.run(ROOT, "-m", "pam.cli", "status", "--profile", "quik")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "did you mean 'quick.yaml'?" in done.stderr
