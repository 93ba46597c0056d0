"""What a table or a figure is made from, and whether code has changed since its rows were made."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pam.reporting.storage import read_text_table, select
from pam.runs.cells import stage_code

if TYPE_CHECKING:
    import pandas as pd

    from pam.reporting.run import Run

Stale = Mapping[tuple[str, str], str]
"""(experiment, CSV file) -> the stages, in words, whose code is no longer that of its rows."""

NOTHING_STALE: Stale = {}


def stale_notes(stale: Stale, experiment: str, sources: Iterable[str]) -> list[str]:
    """Return the note for what is drawn from some CSV files; an empty list if it is current.

    Args:
        stale: the stages whose code has changed.
        experiment: the experiment that is drawn.
        sources: the CSV files it is drawn from.
    """
    stages = [stale[experiment, name] for name in sources if (experiment, name) in stale]
    words = "; ".join(dict.fromkeys(stages))
    return [f"Stale: from rows of earlier code ({words})"] if words else []


def origin_of(run: "Run", experiment: str, stage: str, sources: Iterable[str]) -> dict[str, Any]:
    """Return run, experiment, hash of the drawing code, and CSV name -> sha256 of the rows used.

    The same rows and code give the same origin at any time on any machine.

    Args:
        run: whose rows are drawn.
        experiment: what is shown.
        stage: ``"tables"`` or ``"figures"``.
        sources: names of the CSV files that are read.

    Raises:
        DataError: if a CSV file is missing or damaged.
    """
    return {
        "profile": run.profile,
        "experiment": experiment,
        "code_hash": stage_code(stage),
        "csv": {
            name: _hash(run.text_rows(name, experiment=experiment)) for name in sorted(sources)
        },
    }


def experiment_hash(folder: str | Path, name: str, experiment: str) -> str:
    """Return the sha256 (hex) of the rows that a CSV file of a run has of one experiment.

    Raises:
        DataError: if the file is missing or damaged.
    """
    return _hash(select(read_text_table(folder, name), experiment=experiment))


def _hash(rows: "pd.DataFrame") -> str:
    cells = [list(rows.columns), *rows.to_numpy().tolist()]
    return hashlib.sha256(json.dumps(cells, separators=(",", ":")).encode()).hexdigest()
