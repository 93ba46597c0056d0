"""What is promised of the numbers: the same bits wherever and beside whatever a cell runs."""

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest
import torch

from benchmarks import numerics
from pam.files import read_json, read_tensors

CONFIG = """\
seeds: [0]
experiments:
  tiny:
    dataset: digits
    data: {tile: 8, train_strips: 64, validation_strips: 24, test_strips: 24}
    architecture: lenet5
    network: {widths: [3, 4, 6, 5]}
    train: {batch_size: 16, stages: [{epochs: 1, learning_rate: 0.02}]}
    merging:
      pam: {samples: 32, alpha: 0.5, retrain: {stages: [{epochs: 1, learning_rate: 0.01}]}}
    pruning:
      vibnet: {strengths: [5], fine_tune: {stages: [{epochs: 1, learning_rate: 0.01}]}}
    latency: {batch_sizes: []}
"""

CELL = """\
import sys
from pathlib import Path
from tests.small_run import Run
folder, config = map(Path, sys.argv[1:])
run = Run(folder, config.read_text()).start()
run.finish("pam")
"""
BUSY = "while True: pass"


def run_cell(folder, config, hash_seed, language, busy):
    """Run every stage of a cell from a working directory of its own; the cores may be busy."""
    folder.mkdir()
    root = os.path.dirname(os.path.dirname(os.path.abspath(numerics.__file__)))
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": hash_seed}
    environment |= {"LC_ALL": language, "LANG": language}
    with ExitStack() as stack:
        for _ in range(busy):
            spinning = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            stack.callback(spinning.kill)
        done = subprocess.run(
            [sys.executable, "-c", CELL, str(folder), str(config)],
            cwd=folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.more
def test_a_cell_gives_the_same_bits_in_any_process(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    one, other = tmp_path / "one", tmp_path / "other"
    run_cell(one, config, "0", "C", busy=0)
    run_cell(other, config, "12345", "C.UTF-8", busy=2)
    names = ("networks/tiny/A-0", "networks/tiny/B-0", "merged/tiny/pam-0")
    for name in (*names, "pruned/tiny/pam-vibnet-0"):
        paths = (folder / f"results/{name}.safetensors" for folder in (one, other))
        ours, theirs = (read_tensors(path)[0] for path in paths)
        assert list(ours) == list(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    ours, theirs = (
        read_json(folder / "results/measured/tiny/pam-vibnet-0.json")["rows"]
        for folder in (one, other)
    )
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
