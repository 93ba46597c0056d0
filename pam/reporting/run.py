"""One run as tables and figures read it: its CSV files, its manifest and the names of its rows."""

from functools import cached_property
from pathlib import Path

import pandas as pd

from pam.reporting.manifest import MANIFEST, read_manifest
from pam.reporting.names import Names
from pam.reporting.staleness import NOTHING_STALE, Stale
from pam.reporting.storage import experiments, read_table, read_text_table


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
            self._tables[name] = read_table(self.folder, name)
        return self._tables[name]

    def text_table(self, name: str) -> pd.DataFrame:
        """Return one CSV file with every cell as text; do not change it.

        Raises:
            DataError: if the file is missing or damaged.
        """
        if name not in self._texts:
            self._texts[name] = read_text_table(self.folder, name)
        return self._texts[name]

    @cached_property
    def experiments(self) -> list[str]:
        """The experiments of the run, sorted."""
        return experiments(self.folder)

    @cached_property
    def names(self) -> Names:
        """How the run's mergings, prunings, data sets and architectures are called and ordered."""
        if not (self.folder / MANIFEST).is_file():
            return Names()
        return Names(read_manifest(self.folder).config)
