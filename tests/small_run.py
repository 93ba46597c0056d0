"""A run small enough for a test: every command of the workflow, called by hand."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import torch

from pam.cli.main import main
from pam.config import Config, load_config
from pam.files import read_json
from pam.pruning import PRUNERS, Pruned
from pam.pruning.units import remove, unit_keys
from pam.runs.cells import Cell, parent_cells
from pam.runs.paths import Paths
from pam.runs.stages import STAGES

LATENCY = "    latency: {batch_sizes: [1], rounds: 1}\n"


def profile(
    merging: str,
    pruning: str,
    more: str = LATENCY,
    seeds: str = "[0]",
    strips: int = 48,
    widths: str = "[2, 3, 5, 4]",
    epochs: int = 1,
) -> str:
    """Return the text of a small configuration; ``more`` are further sections."""
    return f"""\
seeds: {seeds}
experiments:
  tiny:
    dataset: digits
    data: {{tile: 8, train_strips: {strips}, validation_strips: 24, test_strips: 24}}
    architecture: lenet5
    network: {{widths: {widths}}}
    train: {{batch_size: 16, stages: [{{epochs: {epochs}, learning_rate: 0.01}}]}}
    merging: {merging}
    pruning: {pruning}
{more}"""


CONFIG = profile("{none: {}, broken: {method: none}}", "{halves: {strengths: [1, 2, 3]}}")

Options = dict[str, list[str]]


def smaller(network, data, strengths, *, seed):
    """A pruner that takes one unit more away each time, of the widest group."""
    for strength in strengths:
        keep = {key: torch.ones(n, dtype=torch.bool) for key, n in unit_keys(network)}
        keep[max(keep, key=lambda key: len(keep[key]))][0] = False
        network = remove(network, keep)
        yield Pruned(strength, network)


def stand_in(
    patch: pytest.MonkeyPatch, code: Callable[..., str] = lambda *_, **__: "0" * 12, pruner=smaller
) -> None:
    """Register a pruner named ``halves``, and have no module asked for its code."""
    patch.setattr("pam.stages.run.cell_code", code)
    patch.setattr("pam.stages.job.cell_code", code)
    patch.setattr("pam.stages.run.check_experiment", lambda *_: None)
    patch.setitem(PRUNERS._entries, "halves", pruner)


class Run:
    """A small run in a folder, one method per command.

    Args:
        folder: where everything lies.
        text: of the configuration; empty if the folder has one. Its first pruning is the run's.
    """

    def __init__(self, folder: Path, text: str = CONFIG) -> None:
        self.file = folder / "config.yaml"
        if text:
            self.file.write_text(text)
        self.paths = Paths(str(folder / "results"))

    @cached_property
    def config(self) -> Config:
        return load_config(self.file)

    def artefact(self, stage: str, *axes: str) -> str:
        """Return the artefact of a cell of seed 0, or of the data."""
        return self.paths.artefact(Cell.of(stage, "tiny", *axes, *self._seed(stage)))

    def record(self, stage: str, *axes: str) -> dict[str, Any]:
        """Return what the record of a cell of seed 0, or of the data, holds."""
        return read_json(self.paths.record(Cell.of(stage, "tiny", *axes, *self._seed(stage))))

    def _seed(self, stage: str) -> list[int]:
        return [0] if "seed" in STAGES[stage].axes else []

    def options(
        self,
        command: str,
        task: str = "A",
        merging: str = "none",
        pruning: str = "",
        seed: int = 0,
        into: Paths | None = None,
    ) -> Options:
        """Return the options of a job with their values.

        Args:
            command: one of the stages.
            task: one of the axes of cells, as are ``merging``, ``pruning`` and ``seed``.
            into: where the job writes, if it is not to be in this run.
        """
        pruning = pruning or next(iter(self.config.experiment("tiny").pruning), "")
        values = {"task": task, "merging": merging, "relatedness": merging, "pruning": pruning}
        stage, out = STAGES[command], into or self.paths
        axes = {axis: (values | {"seed": seed})[axis] for axis in stage.axes}
        cell = Cell(command, "tiny", **axes)
        options = {"--config": [str(self.file)], "--experiment": ["tiny"]}
        options |= {f"--{axis}": [str(value)] for axis, value in axes.items()}
        for parent in stage.parents:
            # Only where the configuration, which may be a broken one, asks for it.
            if parent.stage != "pretrain" or b"pretrained:" in self.file.read_bytes():
                cells = parent_cells(cell, parent, "AB")
                options[f"--{parent.flag}"] = [self.paths.artefact(one) for one in cells]
        if "--data" in options:
            options["--data"] = [self.paths.folder(Cell.of("prepare", "tiny"))]
        if not axes:
            return options | {"--out": [out.folder(cell)]}
        files = {"--out": [out.artefact(cell)]} if stage.suffix else {}
        return options | files | {"--record": [out.record(cell)]}

    def words(self, command: str, *more: str, **cell) -> list[str]:
        """Return the words of a job."""
        options = self.options(command, **cell).items()
        return [command, *(word for name, values in options for word in (name, *values)), *more]

    def job(self, command: str, *more: str, **cell) -> int:
        """Run a job and return its exit code."""
        return main(self.words(command, *more, **cell))

    def prepare(self, *more: str) -> int:
        return self.job("prepare", *more)

    def train(self, task: str, *more: str, seed: int = 0) -> int:
        return self.job("train", *more, task=task, seed=seed)

    def merge(self, merging: str, *more: str) -> int:
        return self.job("merge", *more, merging=merging)

    def prune(self, merging: str, *more: str) -> int:
        return self.job("prune", *more, merging=merging)

    def measure(self, merging: str, *more: str) -> int:
        return self.job("measure", *more, merging=merging)

    def aggregate(self) -> int:
        return main(["aggregate", "--config", str(self.file), "--results", self.paths.results])

    def start(self) -> "Run":
        """Prepare the data and train both tasks."""
        assert [self.prepare(), self.train("A"), self.train("B")] == [0] * 3
        return self

    def finish(self, *mergings: str) -> None:
        """Run the jobs that follow training; each has to end well, whatever failed before."""
        for merging in mergings:
            assert [self.merge(merging), self.prune(merging), self.measure(merging)] == [0] * 3
