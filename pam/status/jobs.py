"""Every job of a run, and what decides whether its result is still current."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pam.config import (
    Config,
    analyse_slice,
    analysed_cells,
    measure_slice,
    merge_slice,
    merged_cells,
    prepare_slice,
    prune_slice,
    pruned_cells,
    relate_slice,
    related_cells,
    train_slice,
    trained_cells,
)
from pam.provenance import code_hash, config_hash, module_hashes

_CELLS: dict[str, Callable[[Config], list[Any]]] = {
    "train": trained_cells,
    "merge": merged_cells,
    "prune": pruned_cells,
    "measure": pruned_cells,
    "relate": related_cells,
    "analyse": analysed_cells,
}
_SLICES: dict[str, Callable[..., dict[str, Any]]] = {
    "prepare": prepare_slice,
    "train": train_slice,
    "merge": merge_slice,
    "prune": prune_slice,
    "measure": measure_slice,
    "relate": relate_slice,
    "analyse": analyse_slice,
}
STAGES_OF_CELLS = ("prepare", *_CELLS)
_OF_THE_RUN = ("aggregate", "tables", "figures")


@dataclass(frozen=True)
class Job:
    """One job of the workflow: a stage, and the names that its cell has.

    Attributes:
        stage: a key of :data:`pam.provenance.STAGES`, which is also rule and command.
        experiment: empty for the stages that take the whole run.
    """

    stage: str
    experiment: str = ""
    task: str = ""
    merging: str = ""
    pruning: str = ""
    relatedness: str = ""
    seed: int | str = ""

    def code(self, config: Config) -> str:
        """Return the hash of the code that the job runs."""
        return code_hash(self.stage, **self._plugins(config))

    def modules(self, config: Config) -> dict[str, str]:
        """Return module -> hash of the code that the job runs."""
        return module_hashes(self.stage, **self._plugins(config))

    def settings(self, config: Config) -> Any:
        """Return the part of the configuration that the job's result depends on."""
        if self.stage not in _SLICES:
            return config.deltas if self.stage == "aggregate" else None
        cell = (self.experiment, self.merging, self.pruning, self.relatedness)
        return _SLICES[self.stage](config, *filter(None, cell))

    def settings_hash(self, config: Config) -> str:
        """Return the hash of :meth:`settings`."""
        return config_hash(self.settings(config))

    def _plugins(self, config: Config) -> dict[str, str | None]:
        """Return the registered names that pick which plug-ins' code counts."""
        if not self.experiment:
            return {}
        experiment = config.experiment(self.experiment)
        method = None
        if self.stage == "merge":
            method = experiment.merging_row(self.merging).method
        elif self.stage == "prune":
            method = experiment.pruning_row(self.pruning).method
        elif self.stage == "relate":
            method = experiment.relatedness_row(self.relatedness).method
        return {
            "method": method,
            "architecture": experiment.architecture,
            "dataset": experiment.dataset,
        }


def jobs_of(config: Config) -> list[Job]:
    """Return every job that a configuration asks for, stage after stage."""
    return [
        *(Job("prepare", name) for name in config.experiments),
        *(
            Job(stage, **cell._asdict())
            for stage, cells in _CELLS.items()
            for cell in cells(config)
        ),
        *(Job(stage) for stage in _OF_THE_RUN),
    ]


def job_of_command(stage: str, arguments: Mapping[str, str]) -> Job:
    """Return the job that ``pam STAGE`` does; ``arguments`` are those it was given."""
    names = ("experiment", "task", "merging", "pruning", "seed")
    given: dict[str, Any] = {name: arguments[name] for name in names if name in arguments}
    if stage == "relate":
        given["relatedness"] = given.pop("merging")
    if "seed" in given:
        given["seed"] = int(given["seed"])
    return Job(stage, **given)
