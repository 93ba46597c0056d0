"""From rows of a CSV file to the jobs that they come from."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from pam.tracing.runs import AXES, RULES, Job, Run

from pam.errors import ConfigError
from pam.reporting.schema import TABLES, TEXT
from pam.reporting.statistics.matched import REFERENCES
from pam.reporting.storage import read_text_table

MADE_BY = {
    **dict.fromkeys(("measurements", "accuracies", "groups", "latency"), ("measure",)),
    **dict.fromkeys(("matched", "matched_sizes", "operating_points", "headline"), ("measure",)),
    "training": ("train", "merge", "prune"),
    "neuron_information": ("merge",),
    "relatedness": ("relate",),
    **dict.fromkeys(("exclusivity", "redundancy", "redundancy_samples"), ("analyse",)),
    **dict.fromkeys(("resources", "failures"), RULES),
}
"""CSV name -> the rules whose records hold its rows, or rows that it is computed from."""

# Their numbers are, or may be, ratios to the baselines.
COMPARED = ("matched", "matched_sizes", "headline")


def select_rows(folder: Path, name: str, row: int | None, where: Mapping[str, str]) -> pd.DataFrame:
    """Return rows of a CSV file as text, indexed by their number; row 1 follows the header.

    Args:
        folder: of the run.
        name: of the CSV file.
        row: number of the one row, or None for all.
        where: column -> value; numbers are compared as numbers.

    Raises:
        ConfigError: if there is no such row or column.
        DataError: if the file is missing or damaged.
    """
    frame = read_text_table(folder, name)
    frame.index = frame.index + 1
    if row is not None:
        if row not in frame.index:
            rows = f"the rows 1 to {len(frame)}" if len(frame) else "no rows"
            raise ConfigError(f"{name}.csv has {rows}, and no row {row}")
        frame = frame.loc[[row]]
    for column, value in where.items():
        if column not in frame.columns:
            raise ConfigError(f"{name}.csv has no column '{column}'")
        frame = frame[_equal(frame[column], value, TABLES[name].columns[column] is TEXT)]
    if where and frame.empty:
        said = " ".join(f"{column}={value}" for column, value in where.items())
        raise ConfigError(f"{name}.csv has no row with {said}")
    return frame


def _equal(cells: pd.Series, value: str, words: bool) -> pd.Series:
    if words or not value:
        return cells == value
    try:
        return pd.to_numeric(cells) == float(value)
    except ValueError as error:
        raise ConfigError(f"column '{cells.name}' holds numbers, and '{value}' is none") from error


def jobs_of(run: Run, name: str, rows: pd.DataFrame) -> list[str]:
    """Return the names of the jobs that rows of a CSV file come from, in the manifest's order."""
    axes = [axis for axis in (*AXES, "rule") if axis in rows.columns]
    wanted = [dict(zip(axes, cell, strict=True)) for cell in rows[axes].drop_duplicates().values]
    if name in COMPARED:
        wanted += [cell | {"merging": base} for cell in wanted for base in REFERENCES]
    by_experiment: dict[str, list[dict[str, str]]] = {}
    for cell in wanted:
        by_experiment.setdefault(cell["experiment"], []).append(cell)
    return [
        job_name
        for job_name, job in run.jobs.items()
        if job["rule"] in MADE_BY[name]
        and (name != "failures" or job["status"] != "ok")
        and _is_one_of(job, by_experiment.get(job["experiment"], ()))
    ]


def _is_one_of(job: Job, cells: Iterable[Mapping[str, str]]) -> bool:
    return any(all(_fits(job, axis, value) for axis, value in cell.items()) for cell in cells)


def _fits(job: Job, axis: str, value: str) -> bool:
    # A row of a merged or pruned network may be of one of its tasks.
    return str(job.get(axis, value if axis == "task" else "")) == value


def jobs_behind(run: Run, names: Iterable[str], experiment: str) -> list[str]:
    """Return the jobs of an experiment that CSV files come from."""
    rules = {rule for name in names if name != "failures" for rule in MADE_BY[name]}
    return [
        name
        for name, job in run.jobs.items()
        if job["experiment"] == experiment and job["rule"] in rules
    ]
