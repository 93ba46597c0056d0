"""Synthetic but realistic records: what the jobs of a run would leave behind.

Nothing here is measured. The records have the shape, the units and the noise of a real run, so that
tables and figures can be tested, and looked at, without training.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pam.files import read_json, write_sealed
from pam.groups import all_combinations, combination_name
from pam.reporting.aggregate import aggregate
from pam.reporting.run import Run
from pam.reporting.schema import TABLES
from pam.reporting.storage import write_rows

TASKS = ("A", "B")
FIVE_TASKS = ("A", "B", "C", "D", "E")
MERGINGS = ("none", "mtz", "all_shared", "pam", "pam_gain")
PRUNINGS = ("vibnet", "taylor")
STRENGTHS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5)
SEEDS = (0, 1, 2)

WIDTH = {"c1": 6, "c2": 16, "f3": 120, "f4": 84}
SINGLE_TEST = {"A": 0.891, "B": 0.926, "C": 0.902, "D": 0.917, "E": 0.884}
LABEL_ENTROPY = 5 * float(np.log(2))
MOST_NEURONS = 8
"""Of a group, whose information is recorded."""

# How the units of all networks (tasks x WIDTH) are divided: exclusive to one of them, and shared.
SHARES = {
    "none": (1.0, 0.0),
    "mtz": (0.0, 0.5),
    "all_shared": (0.0, 1.0),
    "pam": (0.22, 0.6),
    "pam_gain": (0.53, 0.4),
    "random": (0.5, 0.4),
}
EFFICIENCY = {
    "none": 1.0,
    "mtz": 0.75,
    "all_shared": 0.8,
    "pam": 1.1,
    "pam_gain": 1.25,
    "random": 0.9,
}

RUN = {"threads": 1, "device": "cpu"}
RUN |= {"config_hash": "c0ffee", "code_hash": "c0de", "data_hash": "da7a"}

Row = dict[str, Any]


def record_of(rows: dict[str, list[Row]]) -> Row:
    """Return the record of a job that succeeded, without its provenance."""
    return {"status": "ok", "reason": "", "rows": rows, "provenance": {}}


def generator(*axes: str | int) -> np.random.Generator:
    """Return numbers that depend on the axes alone."""
    return np.random.default_rng([ord(letter) for axis in axes for letter in str(axis)])


def group_widths(
    merging: str, keep: float, tasks: tuple[str, ...] = TASKS
) -> dict[str, dict[str, int]]:
    """Return layer -> group -> units of a network of which a fraction ``keep`` is left."""
    exclusive, shared = SHARES[merging]
    # The more tasks, the more of their networks does what another one does too.
    weights = [1 + 0.12 * (index - (len(tasks) - 1) / 2) for index in range(len(tasks))]
    parts = {task: weight * exclusive for task, weight in zip(tasks, weights, strict=True)}
    parts["shared"] = 2 * shared
    return {
        layer: {group: max(1, round(width * part * keep)) for group, part in parts.items() if part}
        for layer, width in WIDTH.items()
    }


def flops(widths: dict[str, dict[str, int]], tasks: set[str]) -> int:
    """Return FLOPs in the paper's convention, for maps of 28 x 112 and 14 x 56."""
    total, previous = 0, None
    for layer, groups in widths.items():
        maps = {"c1": 28 * 112, "c2": 14 * 56}.get(layer, 1)
        area = {"c1": 25, "c2": 25, "f3": 7 * 28}.get(layer, 1)
        for group, units in groups.items():
            if group != "shared" and group not in tasks:
                continue
            inputs = 1 if previous is None else previous.get("shared", 0)
            if previous is not None and group != "shared":
                inputs += previous.get(group, 0)
            total += (2 * area * inputs - 1) * maps * units
        previous = groups
    return total


def cell_axes(experiment: str, merging: str, pruning: str, strength: float, seed: int) -> Row:
    """Return the columns that tell a network."""
    cell: Row = {"experiment": experiment, "dataset": "fashion_mnist", "architecture": "lenet5"}
    return cell | {"merging": merging, "pruning": pruning, "strength": strength, "seed": seed}


def cell_record(
    experiment: str, merging: str, pruning: str, seed: int, tasks: tuple[str, ...] = TASKS
) -> Row:
    """Return the record of one measure job."""
    rows: dict[str, list[Row]] = {
        name: [] for name in ("measurements", "accuracies", "groups", "latency")
    }
    random = generator(merging, pruning, seed)
    for strength in STRENGTHS:
        keep = float(np.exp(-strength * (1.1 if pruning == "vibnet" else 0.9)))
        keep *= 1.0 if strength == 0 else float(np.exp(random.normal(0, 0.08)))
        cell = cell_axes(experiment, merging, pruning, strength, seed)
        widths = group_widths(merging, keep, tasks)
        rated = [_accuracy_row(cell, task, widths, random) for task in tasks]
        rows["accuracies"] += rated
        for name in map(combination_name, all_combinations(tasks)):
            rows["measurements"].append(_measurement_row(cell, name, rated, widths))
            rows["latency"].append(_latency_row(cell, name, widths))
        stage = "pruned" if strength else "merged"
        rows["groups"] += [
            {**cell, "stage": stage, "layer": layer, "group": group, "neurons": units}
            for layer, groups in widths.items()
            for group, units in groups.items()
        ]
    return record_of(rows)


def _accuracy_row(cell: Row, task: str, widths: dict, random: np.random.Generator) -> Row:
    cost = flops(widths, {task}) * EFFICIENCY[cell["merging"]]
    margin = -0.4 + 1.8 * (4e5 / cost) ** 0.8 + random.normal(0, 0.12)
    single = SINGLE_TEST[task] + 0.002 * (cell["seed"] - 1)
    accuracy = round(single - (margin + random.normal(0, 0.12)) / 100, 6)
    row = cell | {"task": task, "status": "ok", "accuracy": accuracy}
    row |= {"validation_accuracy": round(single + 0.004 - margin / 100, 6)}
    singles = {"single_task_accuracy": single, "single_task_validation_accuracy": single + 0.004}
    return row | singles


def _measurement_row(cell: Row, combination: str, rated: list[Row], widths: dict) -> Row:
    tasks = combination.split("&")
    chosen = [row for row in rated if row["task"] in tasks]
    mean = {
        name: float(np.mean([row[name] for row in chosen]))
        for name in ("accuracy", "validation_accuracy", "single_task_accuracy")
    }
    cost, drop = flops(widths, set(tasks)), mean["single_task_accuracy"] - mean["accuracy"]
    row = cell | {"combination": combination, "n_tasks": len(tasks), "status": "ok"} | mean
    row |= {"accuracy_drop": 100 * drop, "flops": cost, "macs": cost // 2, "parameters": cost // 40}
    return row | RUN


def _latency_row(cell: Row, combination: str, widths: dict) -> Row:
    median = 0.2 + flops(widths, set(combination.split("&"))) / 4e7
    row = cell | {"combination": combination, "batch_size": 1, "threads": 1, "backend": "torch"}
    times = {"median_ms": median, "low_ms": 0.9 * median, "high_ms": 1.2 * median}
    return row | times | {"rounds": 30}


def merge_record(experiment: str, merging: str, seed: int, tasks: tuple[str, ...] = TASKS) -> Row:
    """Return the record of one merge job: information per neuron, and the retraining curve."""
    random = generator("merge", merging, seed)
    cell = {"experiment": experiment, "architecture": "lenet5", "merging": merging, "seed": seed}
    rows = []
    for layer, groups in group_widths(merging, 1.0, tasks).items():
        index = 0
        depth = 0.15 + 0.28 * list(WIDTH).index(layer)
        for group, units in groups.items():
            for _ in range(min(units, MOST_NEURONS)):
                origin = group if group in tasks else tasks[index % len(tasks)]
                for task in tasks:
                    level = depth * (0.25 if group in tasks and task != group else 1.0)
                    level *= 1.0 if origin == task else 0.6
                    information = 0.5 * level * float(random.gamma(4, 0.25))
                    row = {"layer": layer, "neuron": index, "origin": origin, "group": group}
                    row |= {"task": task, "information_nats": information}
                    rows.append(cell | row | {"label_entropy_nats": LABEL_ENTROPY})
                index += 1
    curve = _training_rows(experiment, "merge", seed, 3, 0.86, merging=merging)
    return record_of({"neuron_information": rows, "training": curve})


def train_record(experiment: str, task: str, seed: int) -> Row:
    """Return the record of one train job: the curve of a single-task network."""
    curve = _training_rows(experiment, "train", seed, 16, SINGLE_TEST[task], task=task)
    resources = {"rule": "train", "experiment": experiment, "task": task, "merging": ""}
    resources |= {"pruning": "", "seed": seed, "wall_s": 81.5, "cpu_s": 80.1}
    resources |= {"peak_memory_mb": 512.0, "device": "cpu", "host": "node"}
    return record_of({"training": curve, "resources": [resources]})


def prune_record(experiment: str, merging: str, pruning: str, seed: int) -> Row:
    """Return the record of one prune job: curves of the penalty phase and of fine-tuning."""
    curve = []
    for strength in STRENGTHS[1:]:
        final = 0.905 - 0.006 * strength - 0.002 * len(merging)
        axes = {"merging": merging, "pruning": pruning, "strength": strength}
        curve += _training_rows(experiment, "prune", seed, 6, final - 0.01, **axes)
        curve += _training_rows(experiment, "fine_tune", seed, 4, final, **axes)
    return record_of({"training": curve})


def _training_rows(
    experiment: str, stage: str, seed: int, epochs: int, final: float, **axes: str | float
) -> list[Row]:
    """Return the curve of a stage; ``axes`` are merging, pruning, strength and task, where due."""
    axes = {"merging": "", "pruning": "", "strength": None, "task": ""} | axes
    random = generator(stage, *map(str, axes.values()), seed)
    start = {"train": 0.2, "merge": 0.08, "prune": 0.05}.get(stage, 0.01)
    curve = {"experiment": experiment, "dataset": "fashion_mnist", "architecture": "lenet5"}
    curve |= {"stage": stage, "seed": seed} | axes
    rows = []
    for epoch in range(1, epochs + 1):
        loss = 0.3 + (1 - final) * float(np.exp(-epoch / 4)) + random.normal(0, 0.005)
        accuracy = final - start * float(np.exp(-epoch / 2.5)) + random.normal(0, 0.002)
        row = curve | {"step": epoch - 1 + 6 * (stage == "fine_tune"), "epoch": epoch}
        row |= {"learning_rate": 0.01 if epoch < 0.8 * epochs else 0.001}
        rows.append(row | {"loss": loss, "validation_accuracy": accuracy})
    return rows


def fail(path: Path, reason: str = "the loss is not finite") -> None:
    """Replace a record by one of a job that failed, of the same cell."""
    record = read_json(path)
    write_sealed(path, record | {"status": "diverged", "reason": reason, "rows": {}})


def write_records(
    folder: Path,
    experiment: str = "fashion",
    mergings: tuple[str, ...] = MERGINGS,
    prunings: tuple[str, ...] = PRUNINGS,
    seeds: tuple[int, ...] = SEEDS,
    tasks: tuple[str, ...] = TASKS,
) -> list[Path]:
    """Write the records of a whole run under ``folder``; return their paths."""
    records: dict[Path, Row] = {}
    for seed in seeds:
        for task in tasks:
            path = folder / "networks" / experiment / f"{task}-{seed}.json"
            records[path] = train_record(experiment, task, seed)
        for merging in mergings:
            path = folder / "merged" / experiment / f"{merging}-{seed}.json"
            records[path] = merge_record(experiment, merging, seed, tasks)
            for pruning in prunings:
                name = f"{experiment}/{merging}-{pruning}-{seed}.json"
                records[folder / "pruned" / name] = prune_record(experiment, merging, pruning, seed)
                records[folder / "measured" / name] = cell_record(
                    experiment, merging, pruning, seed, tasks
                )
    for path, record in records.items():
        write_sealed(path, record | {"provenance": _provenance(path)})
    return list(records)


def write_run(folder: Path, failed: tuple[str, ...] = (), **axes: Any) -> Path:
    """Write the records of a run and its CSV files under ``folder``, and return that.

    Args:
        folder: of the run.
        failed: the measured cells that failed, e.g. ``pam-vibnet-0``.
        axes: as of :func:`write_records`.
    """
    records = write_records(folder, **axes)
    for name in failed:
        (path,) = folder.glob(f"measured/*/{name}.json")
        fail(path)
    aggregate(records, folder)
    return folder


def run_of(folder: Path, **tables: list[Row]) -> Run:
    """Return a run of which only the given CSV files have rows; missing cells are empty."""
    for name, table in TABLES.items():
        empty = dict.fromkeys(table.columns)
        write_rows(folder, table, [empty | row for row in tables.get(name, [])])
    return Run(folder)


def _provenance(path: Path) -> Row:
    """Return rule and axes of the job of ``<stage>/<experiment>/<a>-<b>-<seed>.json``."""
    stages = {"networks": "train", "merged": "merge", "pruned": "prune", "measured": "measure"}
    *names, seed = path.stem.split("-")
    told = {"rule": stages[path.parts[-3]], "experiment": path.parent.name, "seed": int(seed)}
    axes = ("task",) if told["rule"] == "train" else ("merging", "pruning")
    return told | dict(zip(axes, names, strict=False))
