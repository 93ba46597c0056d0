"""Tables with what the paper reports on the left and what was measured on the right."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pam.reporting.names import (
    merging_name,
    order_combinations,
    order_mergings,
    order_prunings,
    pruning_name,
    size_name,
)
from pam.reporting.pages.reproduction.references import Reference
from pam.reporting.published import published
from pam.reporting.statistics.bootstrap import mean_interval
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.storage import read_table
from pam.reporting.tables.cells import accuracy_cell, cost_cell, interval, notes_for
from pam.reporting.tables.text_table import TextTable

NOT_KNOWN, NOT_RUN = "not known", "not run here"
PRUNINGS, MERGINGS = ("vibnet", "taylor"), ("none", "mtz", "pam")

_AXES = ["pruning", "combination", "merging"]

Rows = Mapping[tuple[str, str, str], Mapping[str, Any]]


def costs_and_accuracies(
    title: str, reported: pd.DataFrame, measured: pd.DataFrame | None
) -> TextTable:
    """Return reported and measured FLOPs and accuracies, one row per merger.

    Args:
        title: of the table.
        reported: what the paper reports, with the columns pruning, combination, merging,
            accuracy (0..1) and flops.
        measured: rows as in ``matched.csv`` at one delta; None if nothing was run.
    """
    known, own = _by_axes(reported), _by_axes(measured)
    n = int(measured["n"].max()) if measured is not None and len(measured) else 0
    rows = []
    for place in _places([*known, *own]):
        theirs, ours = known.get(place, {}), own.get(place)
        flops, accuracy = (theirs.get(name, np.nan) for name in ("flops", "accuracy"))
        # A merger of ours, which the paper does not have, has no figure that could be known.
        unknown = NOT_KNOWN if place[2] in MERGINGS else "—"
        rows.append(
            [
                *(pruning_name(place[0]), place[1], merging_name(place[2])),
                unknown if np.isnan(flops) else f"{1e-6 * flops:.2f}",
                NOT_RUN if ours is None else cost_cell(ours, n),
                _relative(ours, flops),
                unknown if np.isnan(accuracy) else f"{100 * accuracy:.2f}",
                NOT_RUN if ours is None else accuracy_cell(ours, n),
                _points(ours, accuracy),
                "—" if ours is None else f"{ours['n']:.0f}",
            ]
        )
    header = ["pruning", "tasks", "merging", "MFLOPs reported", "measured", "difference"]
    header += ["accuracy (%) reported", "measured", "difference", "n"]
    notes = notes_for([cell for row in rows for cell in row[3:]])
    return TextTable(title, header, rows, 3, notes=notes)


def matched_of(reference: Reference, experiment: str) -> pd.DataFrame:
    """Return the rows of ``matched.csv`` of an experiment at the default delta."""
    rows = read_table(reference.folder, "matched")
    return select(rows, experiment=experiment, delta=DEFAULT_DELTA)


def matched_sizes_of(reference: Reference, experiment: str) -> pd.DataFrame:
    """Return the rows of ``matched_sizes.csv``, with the number of tasks as combination."""
    rows = read_table(reference.folder, "matched_sizes")
    rows = select(rows, experiment=experiment, delta=DEFAULT_DELTA)
    return rows.assign(combination=rows["n_tasks"].map(size_name))


def reported_of(name: str, dataset: str, architecture: str, combinations: Iterable) -> pd.DataFrame:
    """Return the paper's figures of an experiment, empty where they are not known.

    Args:
        name: ``comparison`` or ``sizes``.
        dataset: of the experiment.
        architecture: of the experiment.
        combinations: task combinations, or numbers of tasks for ``sizes``.
    """
    column = "n_tasks" if name == "sizes" else "combination"
    every = [
        {"pruning": pruning, column: combination, "merging": merging}
        for pruning in PRUNINGS
        for combination in combinations
        for merging in MERGINGS
    ]
    known = select(published(name), dataset=dataset, architecture=architecture)
    found = pd.DataFrame(every).merge(known, on=["pruning", column, "merging"], how="left")
    if name == "sizes":
        found["combination"] = found["n_tasks"].map(size_name)
    return found


def single_tasks(reference: Reference | None, experiment: str, known: pd.DataFrame) -> TextTable:
    """Return the accuracy of the single-task networks that everything starts from.

    Args:
        reference: the run that has the experiment; None if none has.
        experiment: its name.
        known: rows of ``published("single_tasks")``.
    """
    reported = dict(zip(known["task"], 100 * known["accuracy"], strict=True))
    own = pd.DataFrame(columns=["task", "seed", "single_task_accuracy"])
    if reference is not None:
        own = select(read_table(reference.folder, "accuracies"), experiment=experiment, status="ok")
        own = own.drop_duplicates(["task", "seed"])
    rows = []
    for task in sorted({*reported, *own["task"]}):
        cells = select(own, task=task)
        values = list(100 * cells["single_task_accuracy"])
        ours = mean_interval(values, list(cells["seed"]), experiment)
        theirs = reported.get(task, np.nan)
        both = ours.n and not np.isnan(theirs)
        rows.append(
            [
                task,
                NOT_KNOWN if np.isnan(theirs) else f"{theirs:.2f}",
                interval(ours.mean, ours.low, ours.high, ".2f") if ours.n else NOT_RUN,
                _signed(ours.mean - theirs, ".2f") if both else "—",
                str(ours.n) if ours.n else "—",
            ]
        )
    header = ["task", "reported", "measured", "difference", "n"]
    return TextTable("Single-task networks, accuracy (%)", header, rows, 1)


def _by_axes(rows: pd.DataFrame | None) -> Rows:
    if rows is None:
        return {}
    return {tuple(row[axis] for axis in _AXES): row for row in rows.to_dict("records")}


def _places(found: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    present = set(found)
    prunings, combinations, mergings = (set(column) for column in zip(*present, strict=True))
    return [
        place
        for pruning in order_prunings(prunings)
        for combination in order_combinations(combinations)
        for merging in order_mergings(mergings)
        for place in [(pruning, combination, merging)]
        if place in present
    ]


def _relative(row: Mapping[str, Any] | None, reported: float) -> str:
    """Return measured against reported FLOPs in percent."""
    if row is None or np.isnan(reported) or np.isnan(row["flops_mean"]):
        return "—"
    return f"{_signed(100 * (row['flops_mean'] / reported - 1), '.0f')} %"


def _points(row: Mapping[str, Any] | None, reported: float) -> str:
    """Return measured minus reported accuracy in percentage points."""
    if row is None or np.isnan(reported) or np.isnan(row["accuracy_mean"]):
        return "—"
    return _signed(100 * (row["accuracy_mean"] - reported), ".2f")


def _signed(value: float, digits: str) -> str:
    return f"{value:+{digits}}".replace("-", "−")
