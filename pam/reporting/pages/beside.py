"""Tables with what the paper reports on the left and what was measured on the right."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from pam.reporting.names import Names, size_name
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import mean_interval
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.storage import select
from pam.reporting.tables.cells import (
    accuracy_cell,
    cost_cell,
    factor_cell,
    noted_table,
    row_interval,
)
from pam.reporting.tables.comparison import AXES
from pam.reporting.tables.lookup import Lookup, Row
from pam.reporting.tables.text_table import TextTable

NOT_KNOWN, NOT_RUN = "not known", "not run here"
PRUNINGS, MERGINGS = ("vibnet", "taylor"), ("none", "mtz", "pam")


def reported_of(dataset: str, architecture: str, name: str, combinations: Iterable) -> pd.DataFrame:
    """Return the paper's figures of an experiment, empty where they are not known.

    ``name`` is ``comparison``, and ``combinations`` are those of tasks; or ``sizes``, and they are
    numbers of tasks.
    """
    column = "n_tasks" if name == "sizes" else "combination"
    every = pd.MultiIndex.from_product([PRUNINGS, combinations, MERGINGS])
    every = every.to_frame(index=False, name=["pruning", column, "merging"])
    known = select(published(name), dataset=dataset, architecture=architecture)
    reported = every.merge(known, on=list(every.columns), how="left")
    if name == "sizes":
        reported["combination"] = reported["n_tasks"].map(size_name)
    return reported


def costs_and_accuracies(
    names: Names, title: str, reported: pd.DataFrame, measured: pd.DataFrame | None
) -> TextTable:
    """Return reported and measured FLOPs and accuracies, one row per merger.

    Args:
        names: how rows are called and ordered.
        title: of the table.
        reported: what the paper reports, with the columns pruning, combination, merging,
            accuracy (0..1) and flops.
        measured: rows as in ``matched.csv`` at one delta; None if nothing was run.
    """
    ran = measured is not None
    n = int(measured["n"].max()) if ran and len(measured) else 0
    theirs = Lookup(names, reported, AXES)
    ours = Lookup(names, measured if ran else reported[:0], AXES)
    every = [reported[AXES], measured[AXES]] if ran else [reported[AXES]]
    rows = []
    for place in Lookup(names, pd.concat(every), AXES).places(*AXES):
        known, row = theirs.get(*place) or {}, ours.get(*place)
        flops, accuracy = (known.get(name, np.nan) for name in ("flops", "accuracy"))
        # A merger of ours, which the paper does not have, has no figure that could be known.
        unknown = NOT_KNOWN if place[2] in MERGINGS else "—"
        rows.append(
            [
                *(names.pruning(place[0]), place[1], names.merging(place[2])),
                unknown if np.isnan(flops) else f"{1e-6 * flops:.2f}",
                NOT_RUN if row is None else cost_cell(row, n),
                _difference(row, "flops", flops),
                unknown if np.isnan(accuracy) else f"{100 * accuracy:.2f}",
                NOT_RUN if row is None else accuracy_cell(row, n),
                _difference(row, "accuracy", accuracy),
                "—" if row is None else f"{row['n']:.0f}",
            ]
        )
    header = ["pruning", "tasks", "merging", "MFLOPs reported", "measured", "difference"]
    header += ["accuracy (%) reported", "measured", "difference", "n"]
    return noted_table(title, header, rows, 3)


def single_tasks(run: Run | None, experiment: str, known: pd.DataFrame) -> TextTable:
    """Return the accuracy of the single-task networks that everything starts from.

    ``known`` are rows of ``published("single_tasks")``; no run is one that lacks the experiment.
    """
    reported = dict(zip(known["task"], 100 * known["accuracy"], strict=True))
    measured = pd.DataFrame(columns=["task", "seed", "single_task_accuracy"])
    if run is not None:
        measured = run.rows("accuracies", experiment=experiment, status=OK)
        measured = measured.drop_duplicates(["task", "seed"])
    rows = []
    for task in sorted({*reported, *measured["task"]}):
        cells = select(measured, task=task)
        ours = mean_interval(100 * cells["single_task_accuracy"])
        theirs = reported.get(task, np.nan)
        both = ours.n and not np.isnan(theirs)
        rows.append(
            [
                task,
                NOT_KNOWN if np.isnan(theirs) else f"{theirs:.2f}",
                row_interval(ours._asdict(), ".2f") if ours.n else NOT_RUN,
                _signed(ours.mean - theirs, ".2f") if both else "—",
                str(ours.n) if ours.n else "—",
            ]
        )
    header = ["task", "reported", "measured", "difference", "n"]
    return TextTable("Single-task networks, accuracy (%)", header, rows, 1)


def headline_tables(runs: Sequence[Run]) -> list[TextTable]:
    """Return the largest factors over all runs, and those of every run and experiment."""
    factors = [
        (run, row)
        for run in runs
        for row in run.rows("headline", delta=DEFAULT_DELTA).to_dict("records")
    ]
    return [_largest_factors(factors), *([_all_factors(factors)] if factors else [])]


def _largest_factors(factors: Sequence[tuple[Run, Row]]) -> TextTable:
    """Return per baseline the largest factor of PAM itself and of all other mergers."""
    reported = published("headline").set_index("against")["factor"]
    rows = []
    for against in REFERENCES:
        for is_pam in (True, False):
            merger = "PAM" if is_pam else "others"
            labels = [Names().merging(against), merger, f"{reported[against]:.2f} ×"]
            chosen = [
                (run, row)
                for run, row in factors
                if row["against"] == against and (row["merging"] == "pam") == is_pam
            ]
            if not chosen:
                rows.append([*labels, NOT_RUN, *["—"] * 7])
                continue
            run, row = max(chosen, key=lambda factor: factor[1]["factor"])
            difference = _signed(row["factor"] - reported[against], ".2f")
            cells = [factor_cell(row), difference, f"{row['n']:.0f}"]
            where = [f"`{run.profile}`", row["experiment"], run.names.merging(row["merging"])]
            where += [run.names.pruning(row["pruning"]), row["combination"]]
            rows.append([*labels, *cells, *where])
    header = ["against", "merger", "reported", "measured", "difference", "n"]
    header += ["profile", "experiment", "of", "pruning", "tasks"]
    return TextTable("Largest factor over all runs", header, rows, 2)


def _all_factors(factors: Sequence[tuple[Run, Row]]) -> TextTable:
    """Return the largest factor of every experiment, baseline and merger."""
    largest: dict[tuple, tuple[Run, Row]] = {}
    for run, row in factors:
        place = run.profile, row["experiment"], REFERENCES.index(row["against"]), row["merging"]
        if place not in largest or row["factor"] > largest[place][1]["factor"]:
            largest[place] = run, row
    rows = [
        [
            *(f"`{run.profile}`", row["experiment"], run.names.merging(row["against"])),
            *(run.names.merging(row["merging"]), run.names.pruning(row["pruning"])),
            *(row["combination"], f"{row['paper']:.2f} ×", factor_cell(row), f"{row['n']:.0f}"),
        ]
        for _, (run, row) in sorted(largest.items(), key=lambda item: item[0])
    ]
    header = ["profile", "experiment", "against", "merger", "pruning", "tasks"]
    return TextTable("Of every run", [*header, "reported", "measured", "n"], rows, 6)


def _difference(row: Row | None, name: str, reported: float) -> str:
    """Return measured FLOPs against reported ones in percent, accuracy in percentage points."""
    measured = np.nan if row is None else row[f"{name}_mean"]
    if np.isnan(reported) or np.isnan(measured):
        return "—"
    if name == "flops":
        return f"{_signed(100 * (measured / reported - 1), '.0f')} %"
    return _signed(100 * (measured - reported), ".2f")


def _signed(value: float, digits: str) -> str:
    return f"{value:+{digits}}".replace("-", "−")
