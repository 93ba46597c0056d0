"""Which cells of a run have to run, and why: what lies on disk against what is asked for."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from pam.config import Config
from pam.config.profile import rows_beside
from pam.errors import DataError
from pam.files import file_hash
from pam.history.changes import Modules, changed_keys, differences, in_a_row
from pam.runs.cells import (
    Cell,
    all_cells,
    cell_code,
    cell_modules,
    config_hash,
    parents_of,
    settings_of,
)
from pam.runs.origins import read_origins
from pam.runs.paths import ORIGINS, Paths
from pam.runs.raw_data import cell_raw_hash
from pam.runs.record import (
    OK,
    Facts,
    JobRecord,
    Manifest,
    Outline,
    check_content,
    check_csv,
    read_given_up,
    read_manifest,
    read_outline,
    read_record,
)
from pam.runs.stages import CSV_FILES

NEW = "not made yet"
FOLLOWS = "the input is made anew"
NEEDED = "its network was thrown away, and is read again"

_MOST_SENTENCES = 5
_DRAWN = frozenset({".csv", ".md", ".tex", ".png", ".svg"})


@dataclass(frozen=True)
class Due:
    """A cell that has to run, and why."""

    cell: Cell
    causes: tuple[str, ...]

    @property
    def is_new(self) -> bool:
        """Whether the cell never ran."""
        return self.causes == (NEW,)


class Plan:
    """What of a run is up to date and what is due, by the hashes in its records.

    Attributes:
        paths: where the files of the run lie.
        due: the cells that have to run, in the order of the stages.
        records: record -> what it says, of all that could be read.
        damaged: why a file of the run cannot be trusted, in sentences that name the way out.
    """

    def __init__(
        self,
        config: Config,
        paths: Paths,
        modules: Modules | None = None,
        data: str | None = None,
        retry_failed: bool = False,
    ) -> None:
        """Look at every record and file of a run; nothing is written.

        Args:
            config: the configuration of the run.
            paths: where its files lie.
            modules: what the hashes of earlier code stood for.
            data: folder of raw data.
            retry_failed: whether cells that failed are due as well.
        """
        self.records: dict[str, Outline] = {}
        self.damaged: list[str] = []
        self.paths = paths
        self._config, self._modules, self._data = config, modules or {}, data
        self._retry_failed = retry_failed
        # Thousands of cells share them.
        self._code_of = cache(partial(cell_code, config))
        self._settings_hash = cache(lambda kind: config_hash(settings_of(config, kind)))
        self._parents = {
            cell: [one for some in parents_of(config, cell).values() for one in some]
            for cell in all_cells(config)
        }
        self._why: dict[Cell, list[str]] = {}
        self._written: dict[Cell, dict[str, str]] = {}
        self._manifest: Manifest | None = None
        self._given_up: frozenset[str] = frozenset()
        try:
            self._given_up = read_given_up(paths.results)
        except DataError as error:
            self.damaged.append(str(error))
        for cell in self._parents:
            self._why[cell] = self._causes(cell)
        while needed := self._needed():
            # What was given up is made again where it is read, and what follows from it.
            self._why |= {cell: [NEEDED] for cell in needed}
            for cell, why in self._why.items():
                if not why and self._follows(cell):
                    self._why[cell] = [FOLLOWS]
        self.due = [Due(cell, tuple(why)) for cell, why in self._why.items() if why]

    def given_up(self, cell: Cell) -> bool:
        """Tell whether a cell's network was thrown away on purpose, and is not there."""
        path = self.paths.artefact(cell)
        return self._in_run(path) in self._given_up and not os.path.exists(path)

    def _in_run(self, path: str) -> str:
        return path.removeprefix(f"{self.paths.results}/")

    def _needed(self) -> set[Cell]:
        """Return the cells, not due, whose network was given up and is read by one that is due."""
        due = (cell for cell, why in self._why.items() if why and cell.experiment)
        read = {parent for cell in due for parent in self._parents[cell]}
        return {cell for cell in read if not self._why[cell] and self.given_up(cell)}

    def _follows(self, cell: Cell) -> bool:
        return any(self._why[parent] for parent in self._parents[cell])

    def _causes(self, cell: Cell) -> list[str]:
        """Return why a cell has to run; nothing if it need not."""
        outputs = self.paths.outputs(cell)
        missing = [path for path in outputs if not os.path.exists(path)]
        if len(missing) == len(outputs):
            return [NEW]
        if cell.experiment and self.given_up(cell):
            missing.remove(self.paths.artefact(cell))
        if missing:
            return [f"missing: {in_a_row(missing)}"]
        try:
            causes = list(self._of_cell(cell) if cell.experiment else self._of_run(cell))
        except DataError as error:
            self.damaged.append(str(error))
            causes = [str(error)]
        return causes or ([FOLLOWS] if self._follows(cell) else [])

    def _of_cell(self, cell: Cell) -> Iterator[str]:
        path = self.paths.record(cell)
        record = self.records[path] = read_outline(path, self._in_run(path))
        known = record.provenance
        self._written[cell] = known.artefacts
        for output in self.paths.outputs(cell):
            if output != path and os.path.exists(output):
                check_content(output, self._in_run(output), known)
        if self._retry_failed and record.status != OK:
            yield f"it failed: {record.status}"
        yield from self._of_code(cell, known.code_hash)
        if known.config_hash != self._settings_hash(cell.kind):
            before, now = read_record(path).provenance.config, settings_of(self._config, cell)
            yield f"{changed_keys(before, now)} changed in the configuration"
        raw = cell_raw_hash(self._config, cell, self._data)
        if known.raw_hash != raw:
            yield "the raw data changed"
        for parent in self._parents[cell]:
            artefact = self.paths.artefact(parent)
            name = self._in_run(artefact)
            hashes = self._written.get(parent, {})
            if not self._why[parent] and known.parents.get(name) != hashes.get(name, ""):
                yield f"{artefact} changed"

    def _of_code(self, cell: Cell, known: str) -> Iterator[str]:
        if known != self._code_of(cell.kind):
            before, now = self._modules.get(known), cell_modules(self._config, cell)
            names = differences(before, now) if before else []
            yield f"the code of {in_a_row(names)} changed" if names else "the code changed"

    def _of_run(self, cell: Cell) -> Iterator[str]:
        """Yield why a stage of the whole run is due: its code, its settings, or what it reads."""
        if cell.stage == "aggregate":
            manifest = self._manifest = read_manifest(self.paths.results)
            for name in CSV_FILES:
                check_csv(self.paths.results, name, manifest)
            yield from self._of_code(cell, manifest.code_hash)
            yield from self._of_records(manifest)
            return
        folder = Path(self.paths.record(cell))
        try:
            origins = read_origins(folder).values()
        except DataError as error:
            # What is drawn is drawn again, so it need not be deleted first.
            yield str(error)
            return
        files = {name: known for one in origins for name, known in one.files.items()}
        codes = {one.code_hash for one in origins}
        gone = [name for name in files if not (folder / name).is_file()]
        if gone:
            yield f"missing: {in_a_row([str(folder / name) for name in gone])}"
        changed = [
            name for name in files.keys() - set(gone) if file_hash(folder / name) != files[name]
        ]
        drawn = {path.name for path in folder.iterdir() if path.suffix in _DRAWN}
        if changed := [*changed, *(drawn - files.keys())]:
            yield f"{in_a_row([str(folder / name) for name in sorted(changed)])} changed"
        # A run may have ended between the two.
        seals = {one.manifest for one in origins} if self._manifest else set()
        is_older = _written(folder / ORIGINS) < _written(self.paths.manifest)
        if is_older or seals - {self._manifest and self._manifest.seal}:
            yield "the rows are newer"
        for code in codes - {self._code_of(cell)}:
            yield from self._of_code(cell, str(code))

    def _of_records(self, manifest: Manifest) -> Iterator[str]:
        """Yield what differs between the manifest and what it should be of."""
        now = settings_of(self._config, Cell("aggregate"))
        config = manifest.config | {"beside": rows_beside(manifest.config)}
        before = {key: config.get(key) for key in now}
        if before != now:
            yield f"{changed_keys(before, now)} changed in the configuration"
        names = {self._in_run(path): path for path in self.paths.records(self._config)}
        if names.keys() != manifest.jobs.keys():
            yield "other cells are asked for than before"
            return
        for name, path in names.items():
            record, listed = self.records.get(path), manifest.jobs[name]
            if record and _outcome(record, record.provenance) != _outcome(listed, listed):
                yield f"{path} changed"


def with_finished_seeds(
    asked: Config, profile: Config, paths: Paths, data: str | None = None
) -> Config:
    """Return a profile with the seeds that are asked for and those that have nothing left to run.

    So the results of other seeds stay in the CSV files, unless they are of other code or settings.
    """
    unfinished = {due.cell.seed for due in Plan(profile, paths, data=data).due}
    finished = set(profile.seeds) - unfinished
    return profile.of_seeds({*asked.seeds, *finished})


def shortened(sentences: Sequence[str]) -> list[str]:
    """Return the first of many sentences, and how many more there are."""
    shown, more = sentences[:_MOST_SENTENCES], len(sentences) - _MOST_SENTENCES
    return [*shown, f"and {more} more: see `make status`"] if more > 0 else shown


def _outcome(told: Outline | JobRecord, known: Facts | JobRecord) -> tuple[Any, ...]:
    """Return what the rows of a run's CSV files show of a job."""
    hashes = known.config_hash, known.code_hash, known.artefacts
    return told.status, told.reason, *hashes


def _written(path: str | Path) -> int:
    """Return when a file was written, in nanoseconds; 0 if it is not there."""
    return Path(path).stat().st_mtime_ns if Path(path).exists() else 0
