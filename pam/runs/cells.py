"""Every cell that a configuration asks for, and what it depends on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from pydantic import BaseModel

from pam.config import Config, Experiment, Pruning
from pam.errors import ConfigError
from pam.files import json_hash
from pam.names import check_known
from pam.runs.stages import AXES, STAGES, Parent, ancestors, axes_of, method_axis, stage_of
from pam.source.code import HASH_LENGTH, code_hash, module_hashes


@dataclass(frozen=True)
class Cell:
    """One job of the workflow: a stage, and its values on the stage's axes.

    Attributes:
        stage: a key of :data:`pam.runs.stages.STAGES`.
        experiment: empty for the stages that take the whole run.
    """

    stage: str
    experiment: str = ""
    task: str = ""
    merging: str = ""
    pruning: str = ""
    relatedness: str = ""
    seed: int | str = ""

    @classmethod
    def of(cls, stage: str, *values: Any) -> "Cell":
        """Return a cell by the values of its axes in order, the experiment first."""
        return cls(stage, **dict(zip(axes_of(stage), values, strict=True)))

    @classmethod
    def pattern(cls, stage: str) -> "Cell":
        """Return the cell of a stage whose values are Snakemake's wildcards, as ``{task}``."""
        return cls.of(stage, *(f"{{{axis}}}" for axis in axes_of(stage)))

    @property
    def kind(self) -> "Cell":
        """The cell without task and seed, on which neither its code nor its settings depend."""
        return Cell(self.stage, self.experiment, "", self.merging, self.pruning, self.relatedness)

    @property
    def axes(self) -> dict[str, Any]:
        """Axis -> value, the experiment first."""
        return {axis: getattr(self, axis) for axis in axes_of(self.stage)}

    @property
    def columns(self) -> dict[str, Any]:
        """The axes as CSV files call them."""
        return {
            (AXES[axis].column if axis in AXES else "") or axis: value
            for axis, value in self.axes.items()
        }


def config_hash(value: Any) -> str:
    """Return a short hash (12 hexadecimal digits) of a JSON-able value, whatever its key order."""
    return json_hash(value)[:HASH_LENGTH]


def cells_of(config: Config, stage: str) -> list[Cell]:
    """Return the cells of a stage, in the order of the configuration."""
    if stage_of(stage).axes is None:
        return [Cell(stage)]
    return [cell for name in config.experiments for cell in _cells(config, stage, name)]


def all_cells(config: Config) -> list[Cell]:
    """Return every cell that a configuration asks for, stage after stage."""
    return [cell for stage in STAGES for cell in cells_of(config, stage)]


def check_cell(config: Config, cell: Cell, where: str) -> None:
    """Check that a configuration has a cell.

    Raises:
        ConfigError: naming the axis that is wrong, and what the configuration has; ``where`` is
            what the configuration is called.
    """
    experiment = config.experiment(cell.experiment)
    for axis, value in cell.axes.items():
        if axis == "seed" and value not in config.seeds:
            seeds = ", ".join(map(str, config.seeds))
            raise ConfigError(f"seed {value} is not in {where}; its seeds: {seeds}")
        if axis in AXES:
            check_known(axis, value, _values(config, experiment, axis))
    if not _prunes(experiment, cell):
        raise ConfigError(
            f"pruning '{cell.pruning}' of {where} does not prune merging '{cell.merging}'"
        )


def parents_of(config: Config, cell: Cell) -> dict[str, list[Cell]]:
    """Return flag of the command -> the cells whose artefacts a cell reads.

    A stage that the experiment does not ask for has no cells, and no flag.
    """
    parents = stage_of(cell.stage).parents
    if not cell.experiment:
        return {parent.flag: cells_of(config, parent.stage) for parent in parents}
    experiment = config.experiment(cell.experiment)
    return {
        parent.flag: parent_cells(cell, parent, experiment.tasks)
        for parent in parents
        if _asked(experiment, cell, parent.stage) != {}
    }


def parent_cells(cell: Cell, parent: Parent, tasks: Sequence[str]) -> list[Cell]:
    """Return the cells that a cell reads of one parent."""
    axes = axes_of(parent.stage)
    one = Cell(parent.stage, **{axis: getattr(cell, axis) for axis in axes})
    if "task" in axes and not cell.task:
        return [replace(one, task=task) for task in tasks]
    return [one]


def settings_of(config: Config, cell: Cell) -> dict[str, Any]:
    """Return the slice of the configuration that a cell's result depends on, JSON-able.

    It holds the slices of the stages before, so its hash names everything upstream as well.
    """
    settings: dict[str, Any] = {}
    for stage in stages_behind(config, cell) if cell.experiment else (cell.stage,):
        settings |= _settings(config, cell, stage)
    return settings


def stages_behind(config: Config, cell: Cell) -> list[str]:
    """Return the stages that a cell of an experiment rests on, its own last."""
    experiment = config.experiment(cell.experiment)
    before = [one for one in ancestors(cell.stage) if _asked(experiment, cell, one) != {}]
    return [*before, cell.stage]


def method_of(config: Config, cell: Cell, stage: str | None = None) -> str | None:
    """Return the registered method that a cell runs, None if it runs none.

    Args:
        config: the configuration.
        cell: the cell.
        stage: a stage before, of which the method is meant; by default the cell's own.
    """
    axis = method_axis(stage or cell.stage)
    if not axis:
        return None
    return config.experiment(cell.experiment).row(AXES[axis].section, getattr(cell, axis)).method


def cell_plugins(stage: str, method: str | None, names: dict[str, str | None]) -> dict[str, Any]:
    """Return package -> registered name of what a stage runs, for the hash of its code."""
    known = {"pam.networks": names.get("architecture"), "pam.data": names.get("dataset")}
    plugins = {package: known[package] for package in stage_of(stage).plugins}
    axis = method_axis(stage)
    return plugins | ({AXES[axis].package: method} if axis else {})


def cell_code(config: Config, cell: Cell, stage: str | None = None) -> str:
    """Return the hash of the code that a cell runs, or that a stage before it ran."""
    return code_hash(*_code(config, cell, stage or cell.stage))


def cell_modules(config: Config, cell: Cell) -> dict[str, str]:
    """Return module -> hash of the code that a cell runs."""
    return module_hashes(*_code(config, cell, cell.stage))


def stage_code(stage: str) -> str:
    """Return the hash of the code of a stage with all plug-ins of its kinds."""
    return code_hash(stage_module(stage), cell_plugins(stage, None, {}))


def stage_module(stage: str) -> str:
    """Return the module that computes a stage."""
    return stage_of(stage).module or f"pam.stages.{stage}"


def _code(config: Config, cell: Cell, stage: str) -> tuple[str, dict[str, Any]]:
    names: dict[str, str | None] = {}
    if cell.experiment:
        experiment = config.experiment(cell.experiment)
        names = {"architecture": experiment.architecture, "dataset": experiment.dataset}
    plugins = cell_plugins(stage, method_of(config, cell, stage), names)
    return stage_module(stage), plugins


def _values(config: Config, experiment: Experiment, axis: str) -> list[Any]:
    if axis == "seed":
        return config.seeds
    return list(getattr(experiment, AXES[axis].section or "tasks"))


def _cells(config: Config, stage: str, name: str) -> Iterator[Cell]:
    experiment, axes = config.experiment(name), STAGES[stage].axes or ()
    for values in product(*(_values(config, experiment, axis) for axis in axes)):
        cell = Cell(stage, name, **dict(zip(axes, values, strict=True)))
        if _prunes(experiment, cell) and _asked(experiment, cell, stage) != {}:
            yield cell


def _prunes(experiment: Experiment, cell: Cell) -> bool:
    """Tell whether the pruning row of a cell, if it has one, prunes networks of its merging."""
    return not cell.pruning or experiment.pruning[cell.pruning].prunes(cell.merging)


def _asked(experiment: Experiment, cell: Cell, stage: str) -> dict[str, Any] | None:
    """Return what a section asks of a cell's merging, None if the stage depends on none."""
    if not STAGES[stage].asks:
        return None
    section = getattr(experiment, STAGES[stage].asks)
    return {} if isinstance(section, str) else section.asked_of(cell.merging)


def _settings(config: Config, cell: Cell, stage: str) -> dict[str, Any]:
    row = STAGES[stage]
    settings = {key: _dump(getattr(config, key)) for key in row.run_keys}
    if not cell.experiment:
        return settings
    experiment = config.experiment(cell.experiment)
    settings |= {key: _dump(getattr(experiment, key)) for key in row.keys}
    if settings.get("init") == "independent":
        # As before there was a choice: what was made then is still up to date.
        del settings["init"]
    axis = method_axis(stage)
    if axis:
        section = AXES[axis].section
        chosen = experiment.row(section, getattr(cell, axis))
        settings[section] = chosen.settings
        if isinstance(chosen, Pruning) and chosen.path:
            settings["largest_delta"] = max(config.deltas)
    if row.asks:
        settings[row.asks] = _asked(experiment, cell, stage)
    return settings


def _dump(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else value
