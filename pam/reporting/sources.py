"""What a table or a figure is made from, in a form that it carries with it."""

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pam.errors import DataError
from pam.runs.cells import stage_code

ORIGINS = "origins.json"
"""Beside the tables, and beside the figures: file name -> what it is made from."""


def origin_of(
    folder: str | Path, experiment: str, stage: str, sources: Iterable[str]
) -> dict[str, Any]:
    """Return run, experiment, hash of the drawing code, and CSV name -> sha256 of the rows used.

    Nothing of it changes with the time or the machine.

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
