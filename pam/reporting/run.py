"""One run as tables, figures and pages read it: its CSV files, its manifest, names of its rows."""

from functools import cached_property
from pathlib import Path

import pandas as pd

from pam.reporting.names import Names
from pam.reporting.origins import NOTHING_STALE, Stale
from pam.reporting.storage import as_numbers, read_text_table, select
from pam.runs.record import MANIFEST, Manifest, read_manifest

_NAMING = ("measurements", "relatedness", "exclusivity", "redundancy")
"""The CSV files that tell which experiments there are, and on what data and architecture."""


class Run:
    """The CSV files of one run, each read once.

    Attributes:
        folder: where the CSV files lie.
        stale: which of their rows are of earlier code.
    """

    def __init__(self, folder: str | Path, stale: Stale = NOTHING_STALE) -> None:
        self.folder = Path(folder)
        self.stale = stale
        self._tables: dict[str, pd.DataFrame] = {}
        self._texts: dict[str, pd.DataFrame] = {}

    @property
    def profile(self) -> str:
        """The name of the run."""
        return self.folder.resolve().name

    def table(self, name: str) -> pd.DataFrame:
        """Return one CSV file, see :func:`pam.reporting.storage.read_table`; do not change it.

        Raises:
            DataError: if the file is missing or damaged.
        """
        if name not in self._tables:
            self._tables[name] = as_numbers(self.text_table(name), self.folder / f"{name}.csv")
        return self._tables[name]

    def text_table(self, name: str) -> pd.DataFrame:
        """Return one CSV file with every cell as text; do not change it.

        Raises:
            DataError: if the file is missing or damaged.
        """
        if name not in self._texts:
            self._texts[name] = read_text_table(self.folder, name)
        return self._texts[name]

    def rows(self, name: str, **values: str | float) -> pd.DataFrame:
        """Return the rows of :meth:`table` whose columns have the given values.

        Raises:
            DataError: if the file is missing or damaged.
        """
        return select(self.table(name), **values)

    def text_rows(self, name: str, **values: str) -> pd.DataFrame:
        """Return the rows of :meth:`text_table` whose columns have the given values.

        Raises:
            DataError: if the file is missing or damaged.
        """
        return select(self.text_table(name), **values)

    @cached_property
    def manifest(self) -> Manifest:
        """Configuration, and status, hashes and machine of every job."""
        return read_manifest(self.folder)

    @cached_property
    def experiments(self) -> list[str]:
        """The experiments of the run, sorted: those of every CSV file that measures one."""
        return sorted({name for table in _NAMING for name in self.text_table(table)["experiment"]})

    def setting(self, experiment: str) -> tuple[str, str]:
        """Return data set and architecture of an experiment; empty if no row tells them."""
        for name in _NAMING:
            rows = self.text_rows(name, experiment=experiment)
            # The row of a job that failed early may not name them.
            for row in rows[rows["dataset"] != ""].head(1).itertuples():
                return row.dataset, row.architecture
        return "", ""

    def title(self, experiment: str) -> str:
        """Return what an experiment is about: ``LeNet-5 on Fashion-MNIST``."""
        dataset, architecture = self.setting(experiment)
        return f"{self.names.architecture(architecture)} on {self.names.dataset(dataset)}"

    @cached_property
    def names(self) -> Names:
        """How the run's mergings, prunings, data sets and architectures are called and ordered."""
        if not (self.folder / MANIFEST).is_file():
            return Names()
        return Names(read_manifest(self.folder).config)
