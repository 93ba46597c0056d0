"""What is promised of the numbers: the same bits wherever and beside whatever a cell runs."""

import os
import subprocess
import sys

import pytest
import torch

from benchmarks import numerics
from pam.files import read_tensors
from pam.source.modules import ROOT
from tests.small_run import Run, profile

RETRAIN = "{stages: [{epochs: 1, learning_rate: 0.01}]}"
CONFIG = profile(
    f"{{pam: {{samples: 32, alpha: 0.5, retrain: {RETRAIN}}}}}",
    f"{{vibnet: {{strengths: [5], fine_tune: {RETRAIN}}}}}",
    "    latency: {batch_sizes: []}\n",
    strips=64,
    widths="[3, 4, 6, 5]",
)
CELL = """\
import sys
from pathlib import Path
from tests.small_run import Run
Run(Path(sys.argv[1]), sys.argv[2]).start().finish("pam")
"""
BUSY = "while True: pass"


def start_cell(folder, hash_seed, language):
    """Start every stage of a cell in a working directory of its own."""
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}
    environment |= {"LC_ALL": language, "LANG": language}
    return subprocess.Popen(
        [sys.executable, "-c", CELL, str(folder), CONFIG],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.more
def test_a_cell_gives_the_same_bits_in_any_process(tmp_path):
    """Two cells side by side, and a third process that keeps the cores busy."""
    one, other = tmp_path / "one", tmp_path / "other"
    with subprocess.Popen([sys.executable, "-c", BUSY]) as spinning:
        cells = start_cell(one, "0", "C"), start_cell(other, "12345", "C.UTF-8")
        complaints = [cell.communicate()[1] for cell in cells]
        spinning.kill()
    assert [cell.returncode for cell in cells] == [0, 0], complaints
    runs = Run(one, ""), Run(other, "")
    for cell in (("train", "A"), ("train", "B"), ("merge", "pam"), ("prune", "pam", "vibnet")):
        ours, theirs = (read_tensors(run.artefact(*cell))[0] for run in runs)
        assert list(ours) == list(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    ours, theirs = (run.record("measure", "pam", "vibnet")["rows"] for run in runs)
    for table in ("measurements", "accuracies", "groups"):
        assert ours[table] and ours[table] == theirs[table]


def made(value, accuracy=0.5, flops=100.0, width=2):
    weight = torch.full((width,), 2.0)
    weight[0] = value
    return numerics.Made({"weight": weight}, accuracy, flops)


def test_the_benchmark_finds_the_largest_difference():
    base = [made(1.0), made(1.0), made(1.0)]
    found = numerics.compare([made(1.0), made(1.5, accuracy=0.49), made(1.0, flops=103.0)], base)
    assert (found["n"], found["identical"], found["same_widths"]) == (3, 2, 3)
    assert float(found["weights"]) == pytest.approx(0.25, rel=0.05)
    assert (found["accuracy_points"], found["flops_percent"]) == ("1.000", "3.000")


def test_the_benchmark_compares_no_weights_of_different_widths():
    found = numerics.compare([made(1.0, width=3)], [made(1.0)])
    assert (found["identical"], found["same_widths"], found["weights"]) == (0, 0, "")


def test_the_benchmark_states_what_the_seeds_span():
    found = numerics.spread([made(1.0, 0.8, 200.0), made(1.0, 0.83, 150.0)])
    assert found == {
        "accuracy_points_between_seeds": "3.000",
        "flops_percent_between_seeds": "33.333",
    }
