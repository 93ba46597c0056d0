"""One run as tables, figures and pages read it: its CSV files, its manifest, names of its rows."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pam.errors import DataError
from pam.files import file_hash, json_hash
from pam.registry import ARCHITECTURE, DATASET, MERGER, PRUNER
from pam.reporting.names import Names
from pam.reporting.storage import as_numbers, read_text_table, select
from pam.runs.cells import stage_code
from pam.runs.paths import is_reference
from pam.runs.record import MANIFEST, OK, Manifest, check_csv, read_manifest

Stale = Mapping[tuple[str, str], str]
"""(experiment, CSV file) -> the stages, in words, whose code is no longer that of its rows."""

NOTHING_STALE: Stale = {}

_NAMING = ("measurements", "relatedness", "exclusivity", "redundancy")
"""The CSV files that tell which experiments there are, and on what data and architecture."""

_STARTS = {
    "independent": "",
    "common": ", from the same weights",
    "pretrained": ", from one trunk",
}
"""What the title of an experiment says of what its networks start from."""

_MEASURED = ("accuracies", "groups")
_FILLED = ("measurements", *_MEASURED, "training", "matched", "requests", "frontiers")
"""The CSV files that have rows wherever a network was measured; there is no operating point
where pruning changed nothing."""


class Run:
    """The CSV files of one run, each read once; nobody may change what the methods return.

    All methods raise :class:`pam.errors.DataError` if a file is missing or damaged, or if a CSV
    file is not the one that the manifest tells of.

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
        """The name of the run, with what is no UTF-8 of it written out."""
        return self.folder.resolve().name.encode(errors="backslashreplace").decode()

    def table(self, name: str) -> pd.DataFrame:
        """Return one CSV file, see :func:`pam.reporting.storage.read_table`."""
        if name not in self._tables:
            self._tables[name] = as_numbers(self.text_table(name), self.folder / f"{name}.csv")
        return self._tables[name]

    def text_table(self, name: str) -> pd.DataFrame:
        """Return one CSV file with every cell as text."""
        if name not in self._texts:
            if self.is_aggregated:
                check_csv(self.folder, name, self.manifest)
            self._texts[name] = read_text_table(self.folder, name)
            self._check_filled(name)
        return self._texts[name]

    def _check_filled(self, name: str) -> None:
        """Refuse a file without rows that others show to have lost them."""
        if len(self._texts[name]) or name not in _FILLED:
            return
        if name == "measurements":
            others = [other for other in _MEASURED if len(self.text_table(other))]
        else:
            others = ["measurements"] * bool(len(self.text_rows("measurements", status=OK)))
        if others:
            path = self.folder / f"{name}.csv"
            raise DataError(f"{path} has no rows, but {others[0]}.csv has: delete it and run again")

    def rows(self, name: str, **values: str | float) -> pd.DataFrame:
        """Return the rows of :meth:`table` whose columns have the given values."""
        return select(self.table(name), **values)

    def text_rows(self, name: str, **values: str) -> pd.DataFrame:
        """Return the rows of :meth:`text_table` whose columns have the given values."""
        return select(self.text_table(name), **values)

    @cached_property
    def is_aggregated(self) -> bool:
        """Whether there is a manifest, which vouches for the CSV files."""
        return (self.folder / MANIFEST).is_file()

    @cached_property
    def manifest(self) -> Manifest:
        """Configuration, and status, hashes and machine of every job."""
        return read_manifest(self.folder)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The configuration; empty without a manifest."""
        return self.manifest.config if self.is_aggregated else {}

    @property
    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        """Experiment -> its section of the configuration, in the order of that."""
        return self.config.get("experiments", {})

    @cached_property
    def likely(self) -> Mapping[str, float]:
        """How likely each combination is to be asked for; empty where all are alike."""
        return self.config.get("requests", {})

    @property
    def likely_in_words(self) -> str:
        """What any request is the mean of, where combinations are not all alike; else empty."""
        return "each combination as likely as the profile says" if self.likely else ""

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

    def row_settings(self, experiment: str, merging: str, pruning: str) -> str:
        """Return the hash of a row's settings, all but the seed: the same is the same measurement.

        Where no network was measured it is the place of the row, which no other has.
        """
        where = {"experiment": experiment, "merging": merging, "pruning": pruning}
        hashes = self.text_rows("measurements", **where)["config_hash"]
        return next(filter(None, hashes), f"{self.folder}/{experiment}/{merging}/{pruning}")

    def title(self, experiment: str) -> str:
        """Return what an experiment is about: ``LeNet-5 on Fashion-MNIST, from one trunk``.

        Nothing is said of networks that start from random weights of their own.
        """
        init = self.sections.get(experiment, {}).get("init", "independent")
        start = _STARTS["pretrained" if isinstance(init, Mapping) else init]
        return self.names.setting(*self.setting(experiment)) + start

    def citations(self, experiment: str, rows: pd.DataFrame) -> list[str]:
        """Return where architecture, data set and methods of some rows were published, in a note.

        Args:
            experiment: of the rows.
            rows: as text; methods are in the columns ``merging`` and ``pruning``, if there are any.
        """
        dataset, architecture = self.setting(experiment)
        methods = {kind: rows.get(kind.section, ()) for kind in (MERGER, PRUNER)}
        return self.names.citations({ARCHITECTURE: [architecture], DATASET: [dataset], **methods})

    @cached_property
    def names(self) -> Names:
        """How the run's mergings, prunings, data sets and architectures are called and ordered."""
        return Names(self.config)


def stale_notes(stale: Stale, experiment: str, sources: Iterable[str]) -> list[str]:
    """Return the note for what shows an experiment's rows of some CSV files; [] if all are new."""
    stages = [stale[experiment, name] for name in sources if (experiment, name) in stale]
    words = "; ".join(dict.fromkeys(stages))
    return [f"Stale: from rows of earlier code ({words})"] if words else []


def origin_of(run: Run, experiment: str, stage: str, sources: Iterable[str]) -> dict[str, Any]:
    """Return run, experiment, hash of the drawing code, and CSV name -> sha256 of the rows used.

    The same rows and code give the same origin at any time on any machine; that of a reference
    run names no code, so that committed files change only with what they show.
    """
    hashes = {name: _hash(run.text_rows(name, experiment=experiment)) for name in sorted(sources)}
    origin = {"profile": run.profile, "experiment": experiment}
    code = {} if is_reference(run.folder) else {"code_hash": stage_code(stage)}
    return origin | code | {"csv": hashes}


def with_files(
    run: Run, origins: Mapping[str, Mapping[str, Any]], paths: Iterable[Path]
) -> dict[str, dict[str, Any]]:
    """Return origins by file name without ending, each with the sha256 of its files.

    Those of a run that is not committed name the manifest as well.
    """
    hashes = {path: file_hash(path) for path in paths}
    is_named = run.is_aggregated and not is_reference(run.folder)
    manifest = {"manifest": run.manifest.seal} if is_named else {}
    return {
        stem: {
            **origin,
            **manifest,
            "files": {p.name: sha256 for p, sha256 in hashes.items() if p.stem == stem},
        }
        for stem, origin in origins.items()
    }


def experiment_hash(folder: str | Path, name: str, experiment: str) -> str:
    """Return the sha256 (hex) of the rows that a CSV file of a run has of one experiment."""
    return _hash(select(read_text_table(folder, name), experiment=experiment))


def _hash(rows: pd.DataFrame) -> str:
    return json_hash([list(rows.columns), *rows.to_numpy().tolist()])
