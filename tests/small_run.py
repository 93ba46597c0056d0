"""A run small enough for a test: every command of the workflow, called by hand."""

from pathlib import Path

from pam.cli.main import main
from pam.config import Paths, load_config

CONFIG = """\
seeds: [0]
experiments:
  tiny:
    dataset: digits
    data: {tile: 8, train_strips: 48, validation_strips: 24, test_strips: 24}
    architecture: lenet5
    network: {widths: [2, 3, 5, 4]}
    train: {batch_size: 16, stages: [{epochs: 1, learning_rate: 0.01}]}
    merging:
      none: {}
      broken: {method: none}
    pruning:
      halves: {strengths: [1, 2, 3]}
    latency: {batch_sizes: [1], rounds: 1}
"""


class Run:
    """A small run in a folder, one method per command."""

    def __init__(self, folder: Path, text: str = CONFIG) -> None:
        self.file = folder / "config.yaml"
        self.file.write_text(text)
        self.config = load_config(self.file)
        self.paths = Paths(str(folder / "results"))
        self.cell = ["--config", str(self.file), "--experiment", "tiny"]
        self.data = ["--seed", "0", "--data", self.paths.data("tiny")]

    def prepare(self, *more: str) -> int:
        return main(["prepare", *self.cell, "--out", self.paths.data("tiny"), *more])

    def train(self, task: str, *more: str) -> int:
        files = ["--out", self.paths.network("tiny", task, 0)]
        files += ["--record", self.paths.network("tiny", task, 0, ".json")]
        return main(["train", *self.cell, "--task", task, *self.data, *files, *more])

    @property
    def networks(self) -> list[str]:
        return ["--networks", *(self.paths.network("tiny", task, 0) for task in "AB")]

    def merge(self, merging: str, *more: str) -> int:
        files = ["--out", self.paths.merged("tiny", merging, 0)]
        files += ["--record", self.paths.merged("tiny", merging, 0, ".json")]
        row = ["--merging", merging]
        return main(["merge", *self.cell, *row, *self.data, *self.networks, *files, *more])

    def prune(self, merging: str, *more: str) -> int:
        files = ["--network", self.paths.merged("tiny", merging, 0)]
        files += ["--out", self.paths.pruned("tiny", merging, "halves", 0)]
        files += ["--record", self.paths.pruned("tiny", merging, "halves", 0, ".json")]
        row = ["--merging", merging, "--pruning", "halves"]
        return main(["prune", *self.cell, *row, *self.data, *files, *more])

    def measure(self, merging: str, *more: str) -> int:
        files = ["--merged", self.paths.merged("tiny", merging, 0)]
        files += ["--pruned", self.paths.pruned("tiny", merging, "halves", 0)]
        files += ["--record", self.paths.measured("tiny", merging, "halves", 0)]
        row = ["--merging", merging, "--pruning", "halves"]
        return main(["measure", *self.cell, *row, *self.data, *self.networks, *files, *more])

    def aggregate(self) -> int:
        return main(["aggregate", "--config", str(self.file), "--results", self.paths.results])
