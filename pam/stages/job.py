"""What the computation of a stage gets, and what it returns.

A stage is a function ``compute(job, inputs) -> Result`` in the module of its name; all else of a
job is in :mod:`pam.stages.run`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pam.config import Config, Experiment
from pam.errors import ConfigError
from pam.runs.cells import Cell, cell_code, config_hash, method_of, settings_of, stages_behind
from pam.runs.stages import STAGES
from pam.seeds import derive_seed
from pam.stages.failures import Failure
from pam.stages.rows import Rows

if TYPE_CHECKING:
    from pam.data import MultitaskDataset
    from pam.networks import GroupedNetwork, SingleTaskNetwork

UNPRUNED = 0.0


@dataclass(frozen=True)
class Job:
    """One cell's job, set up to compute.

    Attributes:
        config: the checked configuration.
        cell: which job it is.
        device: ``"cpu"`` or ``"cuda"``.
        options: of the command, e.g. where raw data lie.
    """

    config: Config
    cell: Cell
    device: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def experiment(self) -> Experiment:
        """The experiment of the cell."""
        return self.config.experiment(self.cell.experiment)

    @property
    def axes(self) -> dict[str, Any]:
        """What names the cell in CSV files: experiment, data set, architecture, and its axes."""
        experiment = self.experiment
        names = {"experiment": self.cell.experiment, "dataset": experiment.dataset}
        if STAGES[self.cell.stage].axes:
            names["architecture"] = experiment.architecture
        return names | self.cell.columns

    @property
    def method(self) -> str | None:
        """The registered method that the job runs."""
        return method_of(self.config, self.cell)

    def key(self, part: str) -> str:
        """Return the full key of a part of the cell's experiment, for errors."""
        return f"experiments.{self.cell.experiment}.{part}"

    def seed(self, purpose: str, *axes: str) -> int:
        """Return a seed that depends on data set, architecture, the cell's seed, and ``axes``."""
        experiment = self.experiment
        return derive_seed(
            purpose, experiment.dataset, experiment.architecture, *axes, self.cell.seed
        )

    def columns(self, data_hash: str, stage: str | None = None) -> dict[str, Any]:
        """Return the columns that say how a row was made.

        Args:
            data_hash: of the data set.
            stage: the stage whose settings decide the row, by default the job's own.
        """
        settings = settings_of(self.config, _at(self.cell, stage or self.cell.stage))
        stages = [one for one in stages_behind(self.config, self.cell) if one != "prepare"]
        return {
            "threads": self.config.threads,
            "device": self.device,
            "config_hash": config_hash(settings),
            "code_hash": config_hash({s: cell_code(self.config, self.cell, s) for s in stages}),
            "data_hash": data_hash,
        }


@dataclass
class Inputs:
    """What a job read; an attribute that its stage does not read, or that failed, is empty.

    Attributes:
        data_hash: sha256 (hex) of the data set.
        trunk: the network that all tasks start from, if the experiment has one.
        networks: task -> single-task network, in the order of the experiment's tasks.
        strengths: strength -> pruned network or why there is none; 0 is the merged network.
        failures: flag of the command -> why there is nothing.
    """

    data_hash: str = ""
    trunk: "SingleTaskNetwork | None" = None
    networks: "dict[str, SingleTaskNetwork]" = field(default_factory=dict)
    strengths: "dict[float, GroupedNetwork | Failure]" = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    _dataset: "MultitaskDataset | None" = None

    @property
    def failure(self) -> Failure | None:
        """The first failure, in the order in which the stage names its parents."""
        return next(iter(self.failures.values()), None)

    @property
    def dataset(self) -> "MultitaskDataset":
        """The data set of the experiment, on the job's device."""
        assert self._dataset is not None, "asked for only where it did not fail"
        return self._dataset

    @property
    def merged(self) -> "GroupedNetwork":
        """The merged network."""
        network = self.strengths[UNPRUNED]
        assert not isinstance(network, Failure), "asked for only where it did not fail"
        return network


@dataclass(frozen=True)
class Result:
    """What a stage computed.

    Attributes:
        rows: CSV file -> rows.
        save: writes the artefact to a path; its second argument is what the file has to say of
            its origin. It may return further facts for the record.
        failure: why the cell failed, if it did.
        facts: seeds and whatever else is worth knowing, JSON-able.
    """

    rows: Rows = field(default_factory=dict)
    save: Callable[[str | Path, dict[str, Any]], Mapping[str, Any] | None] | None = None
    failure: Failure | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def _at(cell: Cell, stage: str) -> Cell:
    """Return the cell of a stage before that a cell rests on."""
    axes = {axis: value for axis, value in cell.axes.items() if axis != "experiment"}
    known = {axis: value for axis, value in axes.items() if axis in (STAGES[stage].axes or ())}
    return Cell(stage, cell.experiment, **known)


def check_tasks(job: Job, dataset: "MultitaskDataset", where: str | Path) -> None:
    """Check that a data set has exactly the tasks that the experiment names.

    Raises:
        ConfigError: if it has others, or another order.
    """
    tasks = job.experiment.tasks
    if list(tasks) != list(dataset.tasks):
        raise ConfigError(
            f"the experiment names the tasks {', '.join(tasks)}, but the data set ({where}) "
            f"has {', '.join(dataset.tasks)}"
        )
