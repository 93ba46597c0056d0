"""Every path of a run, written once: for the commands and for the workflow's wildcards."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pam.config.cells import (
    analysed_cells,
    merged_cells,
    pruned_cells,
    related_cells,
    trained_cells,
)
from pam.config.model import Config
from pam.errors import ConfigError

PROFILES = "workflow/config"
NETWORK = ".safetensors"
RECORD = ".json"


def profile_file(profile: str) -> str:
    """Return the configuration file of a profile, relative to the checkout.

    Raises:
        ConfigError: if the name is not one plain word: it also names folders of results.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]+", profile):
        raise ConfigError(
            f"a profile is the name of a file in {PROFILES}/ without .yaml, not '{profile}'"
        )
    return f"{PROFILES}/{profile}.yaml"


def data_record(folder: str | Path) -> str:
    """Return the record of how the data set in a folder was prepared."""
    return f"{folder}/record{RECORD}"


def run_of(record: str | Path) -> Path:
    """Return the folder of the run that a record, or another file of a cell, lies in.

    A file that lies near the root has no run; the root stands for it.
    """
    above = Path(os.path.abspath(record)).parents
    return above[min(2, len(above) - 1)]


@dataclass(frozen=True)
class Paths:
    """The files below ``results/<profile>/``.

    Arguments are names of a cell, or wildcards such as ``"{task}"``. A job's two files differ in
    their suffix only: ``.safetensors`` is the network, ``.json`` the record.

    Attributes:
        results: the folder of the run.
    """

    results: str

    def data(self, experiment: str = "{experiment}") -> str:
        """Folder of a prepared data set."""
        return f"{self.results}/data/{experiment}"

    def data_description(self, experiment: str = "{experiment}") -> str:
        """Description of a prepared data set, which names its other files."""
        return f"{self.data(experiment)}/dataset.json"

    def data_record(self, experiment: str = "{experiment}") -> str:
        """The record of how a data set was prepared."""
        return data_record(self.data(experiment))

    def network(
        self,
        experiment: str = "{experiment}",
        task: str = "{task}",
        seed: int | str = "{seed}",
        suffix: str = NETWORK,
    ) -> str:
        """A single-task network."""
        return f"{self.results}/networks/{experiment}/{task}-{seed}{suffix}"

    def merged(
        self,
        experiment: str = "{experiment}",
        merging: str = "{merging}",
        seed: int | str = "{seed}",
        suffix: str = NETWORK,
    ) -> str:
        """A merged network."""
        return f"{self.results}/merged/{experiment}/{merging}-{seed}{suffix}"

    def pruned(
        self,
        experiment: str = "{experiment}",
        merging: str = "{merging}",
        pruning: str = "{pruning}",
        seed: int | str = "{seed}",
        suffix: str = NETWORK,
    ) -> str:
        """A merged network pruned at every strength."""
        return f"{self.results}/pruned/{experiment}/{merging}-{pruning}-{seed}{suffix}"

    def measured(
        self,
        experiment: str = "{experiment}",
        merging: str = "{merging}",
        pruning: str = "{pruning}",
        seed: int | str = "{seed}",
    ) -> str:
        """The record of a cell's measurements."""
        return f"{self.results}/measured/{experiment}/{merging}-{pruning}-{seed}{RECORD}"

    def related(
        self,
        experiment: str = "{experiment}",
        relatedness: str = "{relatedness}",
        seed: int | str = "{seed}",
    ) -> str:
        """The record of what tasks share."""
        return f"{self.results}/related/{experiment}/{relatedness}-{seed}{RECORD}"

    def analysed(
        self,
        experiment: str = "{experiment}",
        merging: str = "{merging}",
        pruning: str = "{pruning}",
        seed: int | str = "{seed}",
    ) -> str:
        """The record of a cell's analysis."""
        return f"{self.results}/analysed/{experiment}/{merging}-{pruning}-{seed}{RECORD}"

    def csv(self, name: str) -> str:
        """A CSV file of the run."""
        return f"{self.results}/{name}.csv"

    @property
    def manifest(self) -> str:
        """Versions, hashes and hardware of the run."""
        return f"{self.results}/manifest.json"

    @property
    def tables(self) -> str:
        """Folder of the tables."""
        return f"{self.results}/tables"

    def log(self, rule: str, cell: str) -> str:
        """What the job of a cell said."""
        return f"logs/{Path(self.results).name}/{rule}/{cell}.log"

    def data_records(self, config: Config) -> list[Path]:
        """Return the record of every data set, in the order of the configuration."""
        return [Path(self.data_record(name)) for name in config.experiments]

    def records(self, config: Config) -> list[Path]:
        """Return the record of every job that follows the data, in order."""
        return [
            *(Path(self.network(*cell, suffix=RECORD)) for cell in trained_cells(config)),
            *(Path(self.merged(*cell, suffix=RECORD)) for cell in merged_cells(config)),
            *(Path(self.pruned(*cell, suffix=RECORD)) for cell in pruned_cells(config)),
            *(Path(self.measured(*cell)) for cell in pruned_cells(config)),
            *(Path(self.related(*cell)) for cell in related_cells(config)),
            *(Path(self.analysed(*cell)) for cell in analysed_cells(config)),
        ]
