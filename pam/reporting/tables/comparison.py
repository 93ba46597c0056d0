"""The paper's table, measured: computation and accuracy of every merger at matched accuracy."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pam.reporting.names import Names, size_name
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.curves import pruned
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.storage import select
from pam.reporting.tables.cells import (
    accuracy_cell,
    baseline,
    cost_cell,
    noted_table,
    number,
    ratio_cell,
)
from pam.reporting.tables.lookup import Lookup, Row
from pam.reporting.tables.text_table import Document, TextTable

ASKED_STRENGTHS = 5
AXES = ["pruning", "combination", "merging"]


def comparison(run: Run, experiment: str) -> Document | None:
    """Return the comparison of one experiment at the default delta, the paper's figures beside.

    Of more than two tasks the means over all combinations of as many tasks come first. None where
    nothing was measured.
    """
    measured = run.rows("measurements", experiment=experiment)
    if measured.empty:
        return None
    matched = run.rows("matched", experiment=experiment, delta=DEFAULT_DELTA)
    dataset, architecture = run.setting(experiment)
    paper = select(published("comparison"), dataset=dataset, architecture=architecture)
    tables = _tables(run, matched, paper, measured)
    if measured["n_tasks"].max() > 2:
        sizes = matched_sizes(run, experiment)
        by_size = measured.assign(combination=measured["n_tasks"].map(size_name))
        tables = _tables(run, sizes, paper[:0], by_size, ", mean over combinations") + tables
    return Document(
        title=f"{run.title(experiment)} at matched accuracy",
        intro=introduction(measured),
        tables=tables,
        numbers=_numbers(run, experiment, paper),
    )


def matched_sizes(run: Run, experiment: str) -> pd.DataFrame:
    """Return the rows of ``matched_sizes.csv`` at the default delta.

    The number of tasks, such as ``2 tasks``, stands in the column ``combination``.
    """
    rows = run.rows("matched_sizes", experiment=experiment, delta=DEFAULT_DELTA)
    return rows.assign(combination=rows["n_tasks"].map(size_name))


def _tables(
    run: Run, matched: pd.DataFrame, paper: pd.DataFrame, measured: pd.DataFrame, of: str = ""
) -> list[TextTable]:
    """Return the tables of costs, accuracies and ratios, a row per pruning and combination.

    The rows of ``matched.csv`` are the measured columns, the paper's stand on the right; those of
    ``measurements.csv`` give the accuracy of single-task networks; ``of`` ends the titles.
    """
    names, n = run.names, int(matched["n"].max()) if len(matched) else 0
    lookup, printed = Lookup(names, matched, AXES), Lookup(names, paper, AXES)
    mergings, reported = lookup.values("merging"), printed.values("merging")
    family = [merging for merging in mergings if names.family(merging) == "pam"]
    pairs = [(merging, base) for merging in family for base in REFERENCES]
    paper_pairs = [("pam", base) for base in REFERENCES] if reported else []
    single = measured.groupby("combination")["single_task_accuracy"].mean()
    costs, accuracies, ratios, strong = [], [], [], []
    for index, place in enumerate(lookup.places("pruning", "combination")):
        labels = [names.pruning(place[0]), place[1]]
        ours = {merging: lookup.get(*place, merging) for merging in mergings}
        theirs = {merging: printed.get(*place, merging) or {} for merging in reported}
        costs.append([*labels, *(cost_cell(row, n) for row in ours.values())])
        costs[-1] += [_paper_cell(row, "flops", 1e-6) for row in theirs.values()]
        accuracies.append([*labels, number(100 * single[place[1]], ".2f")])
        accuracies[-1] += [accuracy_cell(row, n) for row in ours.values()]
        accuracies[-1] += [_paper_cell(row, "accuracy", 100) for row in theirs.values()]
        costs_of = {merging: row.get("flops", np.nan) for merging, row in theirs.items()}
        ratios.append([*labels])
        ratios[-1] += [
            ratio_cell(ours[merging], ours.get(base), f"flops_vs_{base}") for merging, base in pairs
        ]
        ratios[-1] += [
            number(costs_of.get(merging, np.nan) / costs_of.get(base, np.nan), ".2f")
            for merging, base in paper_pairs
        ]
        strong += [(index, 2 + column) for column in _cheapest([*ours.values()])]
    columns = [names.merging(merging) for merging in mergings]
    columns += [f"paper {names.merging(merging)}" for merging in reported]
    of_ratios = [_ratio_name(names, *pair) for pair in pairs]
    of_ratios += [f"paper {_ratio_name(names, *pair)}" for pair in paper_pairs]
    labels, notes = ["pruning", "tasks"], _paper_notes(names, printed)
    title = f"Ratio of computation (below 1: less than the baseline){of}"
    return [
        noted_table(f"Computation (MFLOPs){of}", [*labels, *columns], costs, 2, strong, notes),
        noted_table(f"Test accuracy (%){of}", [*labels, "single-task", *columns], accuracies, 2),
        noted_table(title, [*labels, *of_ratios], ratios, 2),
    ]


def _cheapest(rows: Sequence[Row | None]) -> list[int]:
    """Return where the smallest matched FLOPs stand: at most one index."""
    costs = [row["flops_mean"] if row and row["status"] == OK else np.nan for row in rows]
    return [] if np.isnan(costs).all() else [int(np.nanargmin(costs))]


def _paper_cell(row: Row, name: str, scale: float) -> str:
    return number(scale * row.get(name, np.nan), ".2f")


def _ratio_name(names: Names, merging: str, base: str) -> str:
    return f"{names.merging(merging)} / {baseline(names, base)}"


def _paper_notes(names: Names, printed: Lookup) -> list[str]:
    """Return a note on the paper's figures that follow from what its authors recorded."""
    derived = [
        f"{names.merging(merging)}, {names.pruning(pruning)}, {combination}"
        for pruning, combination, merging in printed
        if printed.get(pruning, combination, merging)["source"] == "derived"
    ]
    if not derived:
        return []
    return [
        "paper: as printed, except what follows from the widths "
        f"that the authors recorded ({'; '.join(derived)}); —: not known."
    ]


def introduction(measured: pd.DataFrame) -> str:
    """Return how the comparison was made and on how much it rests."""
    measured = measured[measured["status"] == OK]
    n = measured["seed"].nunique()
    measured = pruned(measured)
    strengths = measured.groupby(["pruning", "merging"])["strength"].nunique().min()
    few = (
        f" The protocol asks for at least {ASKED_STRENGTHS}: read these figures as a rehearsal."
        if len(measured) and strengths < ASKED_STRENGTHS
        else ""
    )
    return (
        f"Validation accuracy {DEFAULT_DELTA:g} percentage point below the single-task networks "
        "for every task; monotone frontiers over "
        f"{0 if not len(measured) else strengths:.0f} pruning strengths and "
        f"n = {n} seeds. In square brackets: 95 % bootstrap interval over seeds. "
        f"FLOPs in the paper's convention, multiplications and additions counted.{few}"
    )


def _numbers(run: Run, experiment: str, paper: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of matched.csv at the default delta with the paper's figures appended."""
    rows = run.text_rows("matched", experiment=experiment, delta=f"{DEFAULT_DELTA:.2f}")
    printed = paper[AXES].assign(
        paper_accuracy=paper["accuracy"].map("{:.4f}".format, na_action="ignore"),
        paper_flops=paper["flops"].map("{:.0f}".format, na_action="ignore"),
    )
    return rows.merge(printed, on=AXES, how="left").fillna("")
