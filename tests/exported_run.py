"""A run around one pruned network with random weights, small enough to export in a moment."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pam.cli.main import main
from pam.data import MultitaskDataset, load_dataset, save_dataset
from pam.files import file_hash, stored_hash, write_sealed
from pam.networks import GroupedNetwork
from pam.networks.family import load_family, save_family
from pam.runs.cells import Cell
from pam.runs.hashes import rows_hash
from pam.runs.paths import Paths
from tests.small import (
    TASKS,
    images_of,
    make_data,
    make_network,
    make_networks,
    scores_of,
    share_some,
)

EXPERIMENT = "tiny"
DONE = {"status": "ok", "reason": ""}


class Exported:
    """The folder of a run, and what is in it.

    Its network of strength 0.5 is what :meth:`export` exports unless told otherwise.
    """

    def __init__(self, folder: Path, cell: dict) -> None:
        self.folder, self.cell, self.out = folder, cell, folder / "exported"
        self.pruned = self._artefact("prune", "pam", "taylor", 0)
        self.merged = self._artefact("merge", "pam", 0)
        self.single = self._artefact("train", "A", 0)
        self.measured = self._artefact("measure", "pam", "taylor", 0)
        self.data_folder = Paths(str(folder)).folder(Cell.of("prepare", EXPERIMENT))

    def _artefact(self, stage: str, *axes: str | int) -> Path:
        return Path(Paths(str(self.folder)).artefact(Cell.of(stage, EXPERIMENT, *axes)))

    @cached_property
    def data(self) -> MultitaskDataset:
        return load_dataset(self.data_folder)

    @cached_property
    def network(self) -> GroupedNetwork:
        return load_family(self.pruned)[0.5]

    @cached_property
    def merged_network(self) -> GroupedNetwork:
        return GroupedNetwork.load(self.merged)

    @cached_property
    def scores(self) -> dict[str, np.ndarray]:
        """Task -> scores of the test images by the network."""
        return scores_by(self.network, self.data)

    def labels(self, task: str) -> list[str]:
        return [self.data.label_names[column] for column in self.data.tasks[task]]

    def file(self, combination: str, suffix: str) -> Path:
        return self.out / f"pam-taylor-0-0.5-{combination}{suffix}"

    def export(self, *words: str, out: Path | None = None) -> int:
        usual = {
            "--network": str(self.pruned),
            "--data": self.data_folder,
            "--out": str(out or self.out),
        }
        if "--network" not in words and "--strength" not in words:
            usual["--strength"] = "0.5"
        given = [w for name, value in usual.items() if name not in words for w in (name, value)]
        return main(["export", *given, *words])

    def write_measured(self, network_hash: str, accuracies: dict[str, float]) -> None:
        rows = [
            {
                "task": task,
                "strength": strength,
                "accuracy": accuracy / (1 + strength - 0.5),
                "single_task_accuracy": 0.2,
            }
            for task, accuracy in accuracies.items()
            for strength in (0.5, 2.0)
        ]
        provenance = {"parents": {f"pruned/{EXPERIMENT}/pam-taylor-0.safetensors": network_hash}}
        record = {**DONE, "rows": {"accuracies": rows}, "provenance": provenance}
        write_sealed(self.measured, record)


def scores_by(network: GroupedNetwork, data: MultitaskDataset) -> dict[str, np.ndarray]:
    """Task -> scores of the test images by a network."""
    return {task: score.numpy() for task, score in scores_of(network, images_of(data)).items()}


def make_run(folder: Path, tasks: tuple[str, ...] = ("A", "B", "C")) -> Exported:
    """Write data, a single-task network, a merged one, and one pruned at two strengths."""
    own = dict(zip(tasks, "ABC", strict=False))
    data = replace(make_data(16), tasks={task: TASKS[one] for task, one in own.items()})
    cell = {
        **{"experiment": EXPERIMENT, "merging": "pam", "pruning": "taylor", "seed": 0},
        **{"config_hash": "c" * 12, "code_hash": "d" * 12},
    }
    made = Exported(folder, cell)
    cell["data_hash"] = save_dataset(data, made.data_folder)

    def shared(*widths: int) -> GroupedNetwork:
        networks = make_networks("".join(own.values()), widths)
        return share_some({task: networks[one].for_task(task) for task, one in own.items()}).eval()

    merged = shared(3, 4, 7, 6)
    merged.save(made.merged, {"origin": {**cell, "pruning": ""}})
    make_network("A").save(made.single)
    save_family(made.pruned, {0.5: shared(2, 3, 6, 5), 2.0: shared(2, 2, 3, 2)}, {"origin": cell})
    parents = {f"merged/{EXPERIMENT}/pam-0.safetensors": stored_hash(made.merged)}
    config = {"architecture": "lenet5", "pruning": {"method": "taylor", "interval": 7}}
    name = f"pruned/{EXPERIMENT}/pam-taylor-0"
    artefacts = {f"{name}.safetensors": stored_hash(made.pruned), f"{name}.json": rows_hash({})}
    provenance = {"parents": parents, "artefacts": artefacts, "config": config}
    provenance["files"] = {f"{name}.safetensors": file_hash(made.pruned)}
    write_sealed(made.pruned.with_suffix(".json"), {**DONE, "rows": {}, "provenance": provenance})
    return made
