"""How much the numbers of a small cell change with threads and instruction sets, and with the seed.

Run ``python -m benchmarks.numerics [--out CSV] [--seeds N]``. For every seed the cell (cartoon
faces, two tasks: train, merge with ``pam``, prune with ``taylor``) runs in a process of its own
under every setting. A row of the CSV compares a setting with the first one, over all seeds: in how
many the bits are the same, and the largest differences, beside the range that the seeds span.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

import pam
from benchmarks.rows import write_csv
from benchmarks.timing import machine
from pam.files import read_tensors, write_tensors
from pam.stages.device import set_up

STAGES = ("trained", "merged", "pruned")
SHRINK = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
SETTINGS: dict[str, tuple[int, dict[str, str]]] = {
    "1 thread": (1, {}),
    "1 thread, again": (1, {}),
    "2 threads": (2, {}),
    "ATen without AVX512": (1, {"ATEN_CPU_CAPABILITY": "avx2"}),
    "ATen without AVX": (1, {"ATEN_CPU_CAPABILITY": "default"}),
    "oneDNN without AVX512": (1, {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "MKL in its compatible mode": (1, {"MKL_CBWR": "COMPATIBLE"}),
    "all without AVX512": (1, {**SHRINK, "MKL_CBWR": "AVX2"}),
}
"""Setting -> threads, and environment variables that take instruction sets away."""

FIELDS = (
    "setting", "stage", "n", "identical", "same_widths", "weights", "accuracy_points",
    "flops_percent", "accuracy_points_between_seeds", "flops_percent_between_seeds", "torch",
    "machine",
)  # fmt: skip

FACES = {
    "size": 32, "train_images": 640, "validation_images": 300, "test_images": 1000,
    "correlation": 0.5, "noise": 0.07,
    "tasks": {"A": ["hat", "glasses", "smiling"], "B": ["dark hair", "beard", "open mouth"]},
}  # fmt: skip
TRAIN = {"stages": [{"epochs": 3, "learning_rate": 0.02}, {"epochs": 1, "learning_rate": 0.004}]}
TUNE = {"stages": [{"epochs": 1, "learning_rate": 0.005}]}


@dataclass(frozen=True)
class Made:
    """A network at one stage: its tensors, test accuracy (mean over tasks) and FLOPs."""

    tensors: Mapping[str, Tensor]
    accuracy: float
    flops: float


def compute(seed: int, threads: int, folder: Path) -> None:
    """Run the cell in this process and leave one file per stage."""
    set_up(threads, "cpu")
    data = pam.data.load("cartoon_faces", **FACES)
    schedule = pam.training.schedule_from(TRAIN)
    networks = {}
    for task, labels in data.tasks.items():
        networks[task] = pam.networks.build(
            "lenet5", data.input_shape, len(labels), task=task, seed=seed, widths=[4, 10, 32, 24]
        )
        pam.training.fit(networks[task], data, schedule, seed=seed)
    merged = pam.merging.merge(
        networks, "pam", data, alpha=0.5, noise_unit="layer_width", samples=96, retrain=TUNE
    )
    pruned = pam.pruning.prune(
        merged, "taylor", data, strength=0.7, seed=seed, learning_rate=0.005, fine_tune=TUNE
    )
    whole = pam.merging.merge(networks, "none", data)
    for stage, network in zip(STAGES, (whole, merged, pruned), strict=True):
        accuracy = pam.training.task_accuracies(network, data, data.test)
        facts = {
            "accuracy": sum(accuracy.values()) / len(accuracy),
            "flops": pam.cost.paper_flops(network, list(data.tasks)),
        }
        write_tensors(folder / f"{stage}.safetensors", network.state_dict(), facts)


def in_a_process(seed: int, threads: int, variables: Mapping[str, str]) -> dict[str, Made]:
    """Return stage -> what the cell gave under some environment variables."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.numerics", "--cell", str(seed)]
        command += ["--threads", str(threads), "--out", folder]
        subprocess.run(command, check=True, env={**os.environ, **variables})
        made = {}
        for stage in STAGES:
            tensors, facts = read_tensors(Path(folder) / f"{stage}.safetensors")
            made[stage] = Made(tensors, facts["accuracy"], facts["flops"])
        return made


def compare(ours: Sequence[Made], others: Sequence[Made]) -> dict[str, object]:
    """Return the differences of the same cells under two settings, one per seed.

    ``weights`` is the largest difference of a weight over the seeds whose widths are the same, as
    a fraction of the largest weight of its tensor; accuracy is in points, FLOPs in percent.
    """
    pairs = list(zip(ours, others, strict=True))
    alike = [(a, b) for a, b in pairs if _shapes(a) == _shapes(b)]
    same = [all(torch.equal(a.tensors[k], b.tensors[k]) for k in a.tensors) for a, b in alike]
    far = [_distance(a.tensors[k], b.tensors[k]) for a, b in alike for k in a.tensors]
    return {
        "n": len(pairs),
        "identical": sum(same),
        "same_widths": len(alike),
        "weights": f"{max(far):.1e}" if far else "",
        "accuracy_points": f"{max(100 * abs(a.accuracy - b.accuracy) for a, b in pairs):.3f}",
        "flops_percent": f"{max(100 * abs(a.flops / b.flops - 1) for a, b in pairs):.3f}",
    }


def spread(made: Sequence[Made]) -> dict[str, str]:
    """Return the range that the seeds span: accuracy in points, FLOPs in percent of the least."""
    accuracies, flops = [one.accuracy for one in made], [one.flops for one in made]
    return {
        "accuracy_points_between_seeds": f"{100 * (max(accuracies) - min(accuracies)):.3f}",
        "flops_percent_between_seeds": f"{100 * (max(flops) / min(flops) - 1):.3f}",
    }


def _shapes(made: Made) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in made.tensors.items()}


def _distance(ours: Tensor, other: Tensor) -> float:
    largest = max(float(other.abs().max()), torch.finfo(other.dtype).tiny)
    return float((ours - other).abs().max()) / largest


def main() -> None:
    """Run every setting over all seeds, print every row, and write them all to the CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="benchmarks/numerics.csv", help="CSV to write")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (n)")
    parser.add_argument("--jobs", type=int, default=1, help="cells at the same time")
    parser.add_argument("--cell", type=int, help="only compute the cell of this seed into --out")
    parser.add_argument("--threads", type=int, default=1, help="threads of --cell")
    given = parser.parse_args()
    if given.cell is not None:
        compute(given.cell, given.threads, Path(given.out))
        return
    seeds = range(given.seeds)
    with ThreadPoolExecutor(given.jobs) as pool:
        futures = {
            setting: [pool.submit(in_a_process, seed, *how) for seed in seeds]
            for setting, how in SETTINGS.items()
        }
    first: list[dict[str, Made]] = []
    rows = []
    for setting, cells in futures.items():
        runs = [cell.result() for cell in cells]
        first = first or runs
        for stage in STAGES:
            made = [run[stage] for run in runs]
            base = [run[stage] for run in first]
            tail = {"torch": torch.__version__, "machine": machine()}
            row = {"setting": setting, "stage": stage, **compare(made, base), **spread(base)}
            rows.append({**row, **tail})
            print(*(f"{key}={value}" for key, value in row.items()), flush=True)
    write_csv(given.out, FIELDS, rows)


if __name__ == "__main__":
    main()
