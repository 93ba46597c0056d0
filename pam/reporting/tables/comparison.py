"""The paper's table, measured: computation and accuracy of every merger at matched accuracy."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pam.reporting.names import ANY_REQUEST, Names, size_name
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.matched import (
    BOUND,
    DEFAULT_DELTA,
    OK,
    REFERENCES,
    Weights,
    size_requests,
)
from pam.reporting.statistics.points import Networks, gap_rows, gap_sentence, pruned_networks
from pam.reporting.statistics.pruning_path import MEAN
from pam.reporting.storage import select
from pam.reporting.tables.cell_text import (
    Lookup,
    Row,
    accuracy_cell,
    baseline,
    brackets,
    cost_cell,
    noted_table,
    number,
    p_cell,
    ratio_cell,
)
from pam.reporting.tables.networks import cheapest_networks, paths_table
from pam.reporting.tables.text_table import Document, TextTable

AXES = ["pruning", "combination", "merging"]
_NOT_COVERED = "—: no such baseline here, or in some seed no loss that both paths cover."
P_NOTE = "p: exact sign-flip test of the ratio, in brackets corrected by Holm for the combinations."


def comparison(run: Run, experiment: str) -> Document | None:
    """Return the comparison of one experiment at the default delta, the paper's figures beside.

    Of more than two tasks the means over all combinations of as many tasks come first. None where
    nothing was measured.
    """
    measured = run.rows("measurements", experiment=experiment)
    if measured.empty:
        return None
    where = {"experiment": experiment, "requirement": MEAN, "delta": DEFAULT_DELTA}
    matched, requests = run.rows("matched", **where), expected_costs(run, **where)
    dataset, architecture = run.setting(experiment)
    paper = select(published("comparison"), dataset=dataset, architecture=architecture)
    expected = select(requests, combination=ANY_REQUEST)
    if measured["n_tasks"].max() > 2:
        tables = _tables(run, requests, paper[:0], measured, ", mean over combinations")
        tables += _tables(run, matched, paper, measured)
    else:
        tables = _tables(run, pd.concat([matched, expected]), paper, measured)
    networks = pruned_networks(run, experiment=experiment)
    tables[0] = replace(tables[0], notes=[*tables[0].notes, *_gaps(run.names, networks)])
    if len(matched):
        tables.insert(1, cheapest_networks(run, experiment))
        tables += [_whole_frontiers(run, experiment), paths_table(run, experiment)]
    return Document(
        title=f"{run.title(experiment)} at matched accuracy",
        intro=_introduction(measured, networks, run.likely_in_words),
        tables=tables,
        numbers=_numbers(run, experiment, paper),
    )


def expected_costs(run: Run, **where: str | float) -> pd.DataFrame:
    """Return the rows of ``requests.csv`` whose columns have the given values.

    The number of tasks, such as ``2 tasks``, or that it is any, stands in ``combination``.
    """
    rows = run.rows("requests", **where)
    names = [ANY_REQUEST if np.isnan(n) else size_name(n) for n in rows["n_tasks"]]
    return rows.assign(combination=pd.Series(names, rows.index, dtype=str))


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
    single = _single_task_accuracies(measured, run.likely)
    costs, accuracies, strong = [], [], []
    for index, place in enumerate(lookup.places("pruning", "combination")):
        labels = [names.pruning(place[0]), place[1]]
        # A pruner need not have pruned every merger.
        ours = [lookup.get(*place, merging) for merging in mergings]
        theirs = [printed.get(*place, merging) or {} for merging in reported]
        costs.append([*labels, *(cost_cell(row, n) for row in ours)])
        costs[-1] += [_paper_cell(row, "flops", 1e-6) for row in theirs]
        accuracies.append([*labels, number(100 * single.get(place[1], np.nan), ".2f")])
        accuracies[-1] += [accuracy_cell(row, n) for row in ours]
        accuracies[-1] += [_paper_cell(row, "accuracy", 100) for row in theirs]
        strong += [(index, 2 + column) for column in _cheapest(ours)]
    columns = [names.merging(merging) for merging in mergings]
    columns += [f"paper {names.merging(merging)}" for merging in reported]
    shown = set(lookup.places("pruning", "combination"))
    labels, notes = ["pruning", "tasks"], _paper_notes(names, printed, shown)
    return [
        noted_table(f"Computation (MFLOPs){of}", [*labels, *columns], costs, 2, strong, notes),
        noted_table(f"Test accuracy (%){of}", [*labels, "single-task", *columns], accuracies, 2),
        ratio_table(
            names, f"Ratio of computation (below 1: less than the baseline){of}", lookup, printed
        ),
    ]


def ratio_table(names: Names, title: str, lookup: Lookup, printed: Lookup) -> TextTable:
    """Return the ratios of every merger to B1 and B2 with their p values, a row per merger."""
    prunings, rows = lookup.values("pruning"), []
    for pruning, combination, merging in lookup.places(*AXES):
        beside = names.beside(pruning, prunings)
        if (merging, pruning) == (REFERENCES[0], beside):
            continue
        cells = [names.pruning(pruning), combination, names.merging(merging)]
        cells += ratio_cells(lookup, beside, pruning, combination, merging)
        rows.append([*cells, *_paper_ratios(printed, pruning, combination, merging)])
    header = ["pruning", "tasks", "merging"]
    for reference in REFERENCES:
        header += [f"/ {baseline(names, reference)}", "p"]
    if printed.values("merging"):
        header += [f"paper / {baseline(names, reference)}" for reference in REFERENCES]
    return noted_table(title, header, rows, 3, notes=[P_NOTE])


def ratio_cells(
    lookup: Lookup, beside: str, pruning: str, combination: str, merging: str
) -> list[str]:
    """Return ratio and p of a row to B1 and to B2, those pruned by ``beside``; 1 for itself."""
    row, cells = lookup.get(pruning, combination, merging), []
    for reference in REFERENCES:
        name, base = f"flops_vs_{reference}", lookup.get(beside, combination, reference)
        same = (merging, pruning) == (reference, beside)
        cells += ["1", "—"] if same else [ratio_cell(row, base, name), p_cell(row, base, name)]
    return cells


def _paper_ratios(printed: Lookup, *place: str) -> Iterator[str]:
    """Yield the paper's ratios to B1 and B2, where it has figures for an experiment at all."""
    for reference in REFERENCES if printed.values("merging") else ():
        rows = [printed.get(*place[:2], merging) or {} for merging in (place[2], reference)]
        one, other = (row.get("flops", np.nan) for row in rows)
        yield "1" if place[2] == reference else number(one / other, ".2f")


def _whole_frontiers(run: Run, experiment: str) -> TextTable:
    """Return the ratios that are averaged over all drops that both mergers cover."""
    rows = run.rows("frontiers", experiment=experiment, requirement=MEAN)
    rows = rows.assign(combination=rows["combination"].replace("", ANY_REQUEST), status=OK)
    if rows["combination"].nunique() > 4:
        rows = rows[rows["combination"] == ANY_REQUEST]
    title = "Ratio of computation averaged over the whole frontier"
    nothing = Lookup(run.names, rows[:0], AXES)
    table = ratio_table(run.names, title, Lookup(run.names, rows, AXES), nothing)
    return replace(table, notes=[*table.notes, _NOT_COVERED])


def _single_task_accuracies(measured: pd.DataFrame, likely: Weights) -> dict[str, float]:
    """Return the mean accuracy of single-task networks per combination, size, and in all."""
    rows = measured.drop_duplicates(["combination", "seed"])
    means = rows.groupby("combination")["single_task_accuracy"].mean().dropna()
    requests = size_requests([*means.index], likely) if len(means) else {}
    return means.to_dict() | {
        size_name(size) if size else ANY_REQUEST: weights @ means / weights.sum()
        for size, weights in requests.items()
    }


def _cheapest(rows: Sequence[Row | None]) -> list[int]:
    """Return where the smallest matched FLOPs stand, if their interval excludes the next ones.

    Nothing is told from a cost of which only an upper bound is known.
    """
    if any(row and row["status"] == BOUND for row in rows):
        return []
    known = {
        index: row for index, row in enumerate(rows) if row and row["status"] == OK and row["n"] > 2
    }
    order = sorted(known, key=lambda index: known[index]["flops_mean"])
    if len(order) < 2 or known[order[0]]["flops_high"] >= known[order[1]]["flops_mean"]:
        return []
    return order[:1]


def _paper_cell(row: Row, name: str, scale: float) -> str:
    return number(scale * row.get(name, np.nan), ".2f")


def _gaps(names: Names, networks: Sequence[Networks]) -> Iterator[str]:
    """Yield what is to say of costs that are read where a path has no network near."""
    for row in gap_rows(networks, [DEFAULT_DELTA]):
        place = names.merging(row["merging"]), names.pruning(row["pruning"])
        yield gap_sentence(", ".join(place), row) + "."


def _paper_notes(names: Names, printed: Lookup, shown: set[tuple]) -> list[str]:
    """Return a note on the paper's figures, of those shown, that its authors did not print."""
    derived = [
        f"{names.merging(merging)}, {names.pruning(pruning)}, {combination}"
        for pruning, combination, merging in printed
        if (pruning, combination) in shown
        and printed.get(pruning, combination, merging)["source"] == "derived"
    ]
    if not list(printed):
        return []
    computed = f", except what follows from the authors' widths ({'; '.join(derived)})"
    return [f"paper: as printed{computed if derived else ''}; —: not known."]


def _introduction(measured: pd.DataFrame, networks: Sequence[Networks], likely: str) -> str:
    """Return how the comparison was made, how likely requests are, and on how much it rests."""
    n = select(measured, status=OK)["seed"].nunique()
    # Of networks that share nothing each has a path of its own.
    merged = (seeds for one in networks for seeds in one.parts.values())
    paths = [len(part.strengths) for seeds in merged for parts in seeds.values() for part in parts]
    least, most = min(paths, default=0), max(paths, default=0)
    lengths = f"{most}" if least == most else f"{least} to {most}"
    return (
        f"Costs where the tasks have lost {DEFAULT_DELTA:g} percentage point of validation "
        "accuracy on average, against the single-task networks of the same seed: read from "
        f"monotone fits per seed and task ({lengths} networks a path), geometric means over "
        f"n = {n} seeds, ratios paired by seed. {brackets(n)} “{ANY_REQUEST}”: mean over all "
        f"combinations{likely and f', {likely}'}. "
        "FLOPs in the paper's convention, multiplications and additions counted."
    )


def _numbers(run: Run, experiment: str, paper: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of matched.csv at the default delta with the paper's figures appended."""
    where = {"experiment": experiment, "requirement": MEAN, "delta": f"{DEFAULT_DELTA:.2f}"}
    printed = paper[AXES].assign(
        paper_accuracy=paper["accuracy"].map("{:.4f}".format, na_action="ignore"),
        paper_flops=paper["flops"].map("{:.0f}".format, na_action="ignore"),
    )
    return run.text_rows("matched", **where).merge(printed, on=AXES, how="left").fillna("")
