"""Why a table has dashes: the causes of failed cells, as footnotes."""

import re
from dataclasses import replace
from pathlib import Path

from pam.reporting.names import merging_name, pruning_name
from pam.reporting.statistics.curves import select
from pam.reporting.storage import read_text_table
from pam.reporting.tables.cells import DASH_NOTES
from pam.reporting.tables.text_table import Document

FAILED_SIGN, FEWER_SIGN = "‡", "n ="
MOST = 4
# How a job begins a reason that is not its own but was passed on to it.
_PASSED_ON = re.compile(r"not (trained|merged|pruned|measured|related|analysed): ")


def causes(folder: str | Path, experiment: str) -> list[str]:
    """Return what went wrong in an experiment, one sentence per cause: where, status and reason.

    Raises:
        DataError: if ``failures.csv`` is missing or damaged.
    """
    failures = select(read_text_table(folder, "failures"), experiment=experiment)
    own = failures[~failures["reason"].str.match(_PASSED_ON)]
    found = []
    axes = ["merging", "pruning", "status", "reason"]
    for (merging, pruning, status, reason), rows in own.groupby(axes, sort=False):
        where = [merging_name(merging)] if merging else []
        where += [pruning_name(pruning)] if pruning else []
        seeds = [seed for seed in dict.fromkeys(rows["seed"]) if seed]
        where += [f"seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}"] if seeds else []
        found.append(f"{', '.join(where) or 'all'}: {status.replace('_', ' ')}: {reason}")
    return found


def explained(document: Document, folder: str | Path, experiment: str) -> Document:
    """Return a document whose tables with failed cells name the causes in footnotes."""
    signs = (DASH_NOTES[FAILED_SIGN], DASH_NOTES[FEWER_SIGN])
    if not any(note in signs for table in document.tables for note in table.notes):
        return document
    every = causes(folder, experiment)
    said = [f"{FAILED_SIGN} {cause}" for cause in every[:MOST]]
    said += [f"{FAILED_SIGN} and {len(every) - MOST} more"] if len(every) > MOST else []
    tables = [
        replace(table, notes=[*table.notes, *said]) if set(table.notes) & set(signs) else table
        for table in document.tables
    ]
    return replace(document, tables=tables)
