"""Synthetic records of the experiments on relatedness and on the two conditions.

Nothing here is measured; see :mod:`tests.reporting_fixtures`.
"""

from pathlib import Path

import numpy as np

from pam.files import write_sealed
from tests.reporting_fixtures import RUN, SEEDS, TASKS, Row, cell_axes, generator, record_of

LAYERS = {"c2": 32, "f3": 240, "f4": 168}
PAIRS = {"identical": 2.9, "near": 2.2, "middle": 1.4, "far": 0.6, "independent": 0.05}


def relatedness_record(experiment: str, seed: int) -> Row:
    """Return the record of one job: the more two tasks have in common, the more is shared."""
    random, rows = generator("relatedness", seed), []
    for task, typical in PAIRS.items():
        information = typical + float(random.normal(0, 0.01))
        for depth, (layer, neurons) in enumerate(LAYERS.items()):
            share = np.clip(0.05 + information / 3.1 * (1 - 0.08 * depth), 0, 1)
            removed = int(neurons * random.uniform(0.04, 0.1))
            shared = int((neurons - removed) * np.clip(share + random.normal(0, 0.03), 0, 1))
            own = (neurons - removed - shared) // 2
            row = {"experiment": experiment, "dataset": "cartoon_faces", "architecture": "lenet5"}
            row |= {"merging": "pam", "seed": seed, "task_a": "base", "task_b": task}
            row |= {"label_information_nats": information, "layer": layer, "neurons": neurons}
            row |= {"shared": shared, "exclusive_a": own, "removed": removed, "status": "ok"}
            rows.append(row | {"exclusive_b": neurons - removed - shared - own} | RUN)
    return record_of({"relatedness": rows})


def exclusivity_record(experiment: str, pruning: str, seed: int) -> Row:
    """Return the record of one job of scenario 1: neurons taken from an all-shared network."""
    random, rows = generator("exclusivity", pruning, seed), []
    cell = cell_axes(experiment, "all_shared", pruning, 1.5, seed)
    for layer, neurons in {"c2": 8, "f4": 14 + seed}.items():
        information = {task: random.gamma(2, 0.25, neurons) for task in TASKS}
        for favourite, other in (TASKS, TASKS[::-1]):
            order = np.argsort(information[other] - information[favourite], kind="stable")
            for step in range(neurons + 1):
                neuron = int(order[step - 1]) if step else None
                for task in TASKS:
                    speed = 2.2 if task == favourite else 0.8
                    left = 0.93 - 0.4 * (step / neurons) ** (2 / speed) * min(speed, 1)
                    accuracy = left + float(random.normal(0, 0.004))
                    row = cell | {"layer": layer, "exclusive_to": favourite, "step": step}
                    row |= {"neuron": neuron, "task": task, "accuracy": accuracy, "status": "ok"}
                    row |= {"information_nats": information[task][neuron] if step else None}
                    rows.append(row | {"validation_accuracy": accuracy + 0.003} | RUN)
    return record_of({"exclusivity": rows})


def redundancy_record(experiment: str, merging: str, pruning: str, seed: int) -> Row:
    """Return the record of one job of scenario 2: exclusive groups before and after pruning."""
    random = generator("redundancy", merging, pruning, seed)
    rows: list[Row] = []
    samples: list[Row] = []
    for strength in (0.0, 2.0):
        cell = cell_axes(experiment, merging, pruning, strength, seed)
        for depth, layer in enumerate(LAYERS):
            pair = {"layer": layer, "task_a": "A", "task_b": "B"}
            largest = 0.88 + 0.05 * bool(strength) + float(random.normal(0, 0.015))
            mean = largest - 0.3 + 0.08 * depth - 0.1 * (merging == "pam")
            row = cell | pair | {"mean_max_correlation": mean, "max_correlation": largest}
            row |= {"neurons_a": 5 if strength else 56, "neurons_b": 6 if strength else 56}
            rows.append(row | {"neuron_a": 14, "neuron_b": 53, "status": "ok"} | RUN)
            if layer == "f4":
                x = random.normal(4, 4 if not strength else 40, 300)
                y = 0.9 * x + np.std(x) * np.sqrt(1 / largest**2 - 1) * random.normal(0, 1, 300)
                samples += [
                    {**cell, **pair, "sample": index, "value_a": a, "value_b": b}
                    for index, (a, b) in enumerate(zip(x, y, strict=True))
                ]
    return record_of({"redundancy": rows, "redundancy_samples": samples})


def write_validation_records(folder: Path, seeds: tuple[int, ...] = SEEDS) -> list[Path]:
    """Write the records of all three experiments under ``folder``; return their paths."""
    records: dict[Path, Row] = {}
    for seed in seeds:
        name = f"relatedness/related/{seed}.json"
        records[folder / name] = relatedness_record("related", seed)
        for pruning in ("vibnet", "taylor"):
            name = f"exclusivity/fashion/{pruning}-{seed}.json"
            records[folder / name] = exclusivity_record("fashion", pruning, seed)
            for merging in ("pam", "pam_gain"):
                name = f"redundancy/fashion/{merging}-{pruning}-{seed}.json"
                records[folder / name] = redundancy_record("fashion", merging, pruning, seed)
    for path, record in records.items():
        write_sealed(path, record)
    return list(records)
