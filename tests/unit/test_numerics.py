"""What is promised of the numbers: the same bits wherever and beside whatever a cell runs."""

import os
import subprocess
import sys

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
from pam.cli.main import main
folder, config = sys.argv[1:]
cell = ["--config", config, "--experiment", "tiny"]
data = ["--seed", "0", "--data", f"{folder}/data"]
def files(name):
    return ["--out", f"{folder}/{name}.safetensors", "--record", f"{folder}/{name}.json"]
networks = ["--networks", f"{folder}/A.safetensors", f"{folder}/B.safetensors"]
pruning = ["--merging", "pam", "--pruning", "vibnet"]
main(["prepare", *cell, "--out", f"{folder}/data"])
for task in "AB":
    main(["train", *cell, "--task", task, *data, *files(task)])
main(["merge", *cell, "--merging", "pam", *data, *networks, *files("merged")])
merged = f"{folder}/merged.safetensors"
main(["prune", *cell, *pruning, *data, "--network", merged, *files("pruned")])
made = ["--merged", merged, "--pruned", f"{folder}/pruned.safetensors"]
main(["measure", *cell, *pruning, *data, *networks, *made, "--record", f"{folder}/measured.json"])
"""
BUSY = "while True: pass"


def start_cell(folder, config, hash_seed, language):
    """Start every stage of a cell in a working directory of its own."""
    folder.mkdir()
    root = os.path.dirname(os.path.dirname(os.path.abspath(numerics.__file__)))
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": hash_seed}
    environment |= {"LC_ALL": language, "LANG": language}
    return subprocess.Popen(
        [sys.executable, "-c", CELL, str(folder), str(config)],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_cell_gives_the_same_bits_in_any_process(tmp_path):
    """Two cells side by side, and a third process that keeps the cores busy."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    one, other = tmp_path / "one", tmp_path / "other"
    with subprocess.Popen([sys.executable, "-c", BUSY]) as spinning:
        cells = start_cell(one, config, "0", "C"), start_cell(other, config, "12345", "C.UTF-8")
        complaints = [cell.communicate()[1] for cell in cells]
        spinning.kill()
    assert [cell.returncode for cell in cells] == [0, 0], complaints
    for name in ("A", "B", "merged", "pruned"):
        ours, theirs = (read_tensors(folder / f"{name}.safetensors")[0] for folder in (one, other))
        assert list(ours) == list(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    ours, theirs = (read_json(folder / "measured.json")["rows"] for folder in (one, other))
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
