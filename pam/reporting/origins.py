"""What a table or a figure is made from, and whether code has changed since its rows were made."""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pam.errors import DataError
from pam.runs.cells import stage_code

ORIGINS = "origins.json"
"""Beside the tables, and beside the figures: file name -> what it is made from."""

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


def origin_of(
    folder: str | Path, experiment: str, stage: str, sources: Iterable[str]
) -> dict[str, Any]:
    """Return run, experiment, hash of the drawing code, and CSV name -> sha256 of the rows used.

    The same rows and code give the same origin at any time on any machine.

    Args:
        folder: where the CSV files of the run lie.
        experiment: what is shown.
        stage: ``"tables"`` or ``"figures"``.
        sources: names of the CSV files that are read.

    Raises:
        DataError: if a CSV file is missing.
    """
    return {
        "profile": Path(folder).resolve().name,
        "experiment": experiment,
        "code_hash": stage_code(stage),
        "csv": {name: experiment_hash(folder, name, experiment) for name in sorted(sources)},
    }


def experiment_hash(folder: str | Path, name: str, experiment: str) -> str:
    """Return the sha256 (hex) of the rows that a CSV file of a run has of one experiment.

    Raises:
        DataError: if the file is missing, or has no column ``experiment``.
    """
    path = Path(folder) / f"{name}.csv"
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            header, *rows = csv.reader(handle)
        column = header.index("experiment")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a CSV file of a run: {error}") from error
    kept = [header, *(row for row in rows if row[column : column + 1] == [experiment])]
    return hashlib.sha256(json.dumps(kept, separators=(",", ":")).encode()).hexdigest()
