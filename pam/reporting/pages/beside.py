"""Tables with what was measured, and beside it what the paper reports where that is known."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from pam.reporting.names import ANY_REQUEST, Names
from pam.reporting.published import published, reported_ratios
from pam.reporting.run import Run
from pam.reporting.statistics import claims
from pam.reporting.statistics.intervals import mean_interval
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.statistics.pruning_path import MEAN
from pam.reporting.statistics.settings import (
    FAITHFUL,
    against_random,
    any_requests,
    methods,
    outcomes,
)
from pam.reporting.statistics.variants import sweeps
from pam.reporting.storage import select
from pam.reporting.tables.cell_text import (
    Lookup,
    accuracy_cell,
    baseline,
    cost_cell,
    factor_cell,
    interval,
    number,
    row_interval,
)
from pam.reporting.tables.comparison import AXES, expected_costs, ratio_cells
from pam.reporting.tables.text_table import TextTable


def costs_and_ratios(run: Run, experiment: str) -> TextTable:
    """Return cost, ratios to B1 and B2 and test accuracy of every row at the default delta.

    Of more than two tasks, means over all combinations of as many tasks. The paper's figures stand
    in columns of their own if it has any of the setting.
    """
    names, where = run.names, {"experiment": experiment, "requirement": MEAN}
    rows = expected_costs(run, delta=DEFAULT_DELTA, **where)
    if rows["n_tasks"].max() <= 2:
        matched = run.rows("matched", delta=DEFAULT_DELTA, **where)
        rows = pd.concat([matched, select(rows, combination=ANY_REQUEST)])
    n = int(rows["n"].max()) if len(rows) else 0
    lookup, prunings = Lookup(names, rows, AXES), rows["pruning"].unique()
    dataset, architecture = run.setting(experiment)
    printed = select(published("comparison"), dataset=dataset, architecture=architecture)
    ratios, theirs = reported_ratios(dataset, architecture), Lookup(names, printed, AXES)
    body = []
    for place in lookup.places(*AXES):
        pruning, tasks, merging = place
        row, known = lookup.get(*place), theirs.get(*place) or {}
        cells = [names.pruning(pruning), tasks, names.merging(merging), cost_cell(row, n)]
        cells += ratio_cells(lookup, names.beside(pruning, prunings), *place)
        cells.append(accuracy_cell(row, n))
        if len(printed):
            cells.append(number(1e-6 * known.get("flops", np.nan), ".2f"))
            cells += [
                number(ratios.get((name, pruning, tasks), np.nan), ".2f")
                if merging == "pam"
                else "—"
                for name in REFERENCES
            ]
            cells.append(number(100 * known.get("accuracy", np.nan), ".2f"))
        body.append(cells)
    against = [f"/ {baseline(names, reference)}" for reference in REFERENCES]
    header = ["pruning", "tasks", "merging", "MFLOPs"]
    header += [cell for name in against for cell in (name, "p")] + ["accuracy (%)"]
    if len(printed):
        header += [f"paper {name}" for name in ("MFLOPs", *against, "accuracy (%)")]
    return TextTable("", header, body, 3)


def lost_by_merging(runs: Sequence[Run]) -> TextTable:
    """Return the validation accuracy lost by merging and retraining, before anything is pruned."""
    body = []
    for run, experiment in ((one, name) for one in runs for name in one.experiments):
        rows = run.rows("accuracies", experiment=experiment, strength=0, status=OK)
        rows = rows[rows["merging"].isin(FAITHFUL)].drop_duplicates(["merging", "seed", "task"])
        lost = 100 * (rows["single_task_validation_accuracy"] - rows["validation_accuracy"])
        seeds = lost.groupby([rows["merging"], rows["seed"]]).mean().unstack("merging")
        means = [mean_interval(seeds.get(name, [])) for name in FAITHFUL]
        if len(seeds):
            cells = [interval(*one[1:], ".2f") for one in means]
            body.append([f"`{run.profile}`", experiment, *cells, f"{len(seeds)}"])
    header = ["profile", "experiment", *map(Names().merging, FAITHFUL), "n"]
    return TextTable("", header, body, 2)


def single_tasks(run: Run, experiment: str) -> str:
    """Return the accuracy of the single-task networks that everything starts from, in a line."""
    dataset, architecture = run.setting(experiment)
    known = select(published("single_tasks"), dataset=dataset, architecture=architecture)
    reported = dict(zip(known["task"], 100 * known["accuracy"], strict=True))
    measured = run.rows("accuracies", experiment=experiment, status=OK)
    measured = measured.drop_duplicates(["task", "seed"])
    told = []
    for task, cells in measured.groupby("task"):
        ours = mean_interval(100 * cells["single_task_accuracy"])
        theirs = f", paper {reported[task]:.2f}" if task in reported else ""
        told.append(f"{task} {row_interval(ours._asdict(), '.2f')}{theirs}")
    return f"Test accuracy of the single-task networks (%): {'; '.join(told)}."


def largest_factors(runs: Sequence[Run]) -> TextTable:
    """Return the largest factor of every experiment, baseline and merger."""
    largest: dict[tuple, tuple[Run, dict]] = {}
    for run in runs:
        for row in run.rows("headline", delta=DEFAULT_DELTA).to_dict("records"):
            rank = run.names.order_mergings(REFERENCES).index(row["against"])
            place = run.profile, row["experiment"], rank, row["merging"]
            if place not in largest or row["factor"] > largest[place][1]["factor"]:
                largest[place] = run, row
    rows = [
        [
            *(f"`{run.profile}`", row["experiment"], Names().merging(row["against"])),
            *(run.names.merging(row["merging"]), run.names.pruning(row["pruning"])),
            *(row["combination"], factor_cell(row), f"{row['n']:.0f}", f"{row['paper']:.2f} ×"),
        ]
        for _, (run, row) in sorted(largest.items(), key=lambda item: item[0])
    ]
    header = ["profile", "experiment", "against", "merger", "pruning", "tasks"]
    return TextTable("", [*header, "measured", "n", "PAM in the paper"], rows, 6)


def settings_sentence(runs: Sequence[Run]) -> str:
    """Return in how many settings a request costs less, and more, than B1; empty if in none."""
    told = [
        f"{methods()[one.Index]} costs less in {one.less} of {one.known} and more in {one.more}"
        for one in outcomes(any_requests(runs)).itertuples()
    ]
    if not told:
        return ""
    return (
        f"**In all settings of the picture**, any request, {DEFAULT_DELTA:g} point lost, against "
        f"{Names().merging(REFERENCES[0])} (interval and p < {claims.LEVEL:g}; of those where all "
        f"seeds' fits come within it): {'; '.join(told)}."
    )


def random_sentence(runs: Sequence[Run]) -> str:
    """Return in how many settings PAM costs less, and more, than random groups; or nothing."""
    return "".join(
        f"**Groups of PAM's sizes dealt at random** tell whether it matters which units share: PAM "
        f"costs less than they do in {one.less} of {one.known} settings and more in {one.more}."
        for one in outcomes(against_random(runs)).itertuples()
    )


def factor_sentences(runs: Sequence[Run]) -> Iterator[str]:
    """Yield the largest factor of any merger against each baseline, over all experiments.

    Of enough seeds, so that a factor of noise alone is unlikely.
    """
    for reference in REFERENCES:
        known = [
            (run, row)
            for run in runs
            for row in run.rows(
                "headline", against=reference, delta=DEFAULT_DELTA, status=OK
            ).to_dict("records")
            if row["merging"] != REFERENCES[0] and row["n"] >= claims.LEAST_SEEDS
        ]
        if not known:
            continue
        run, row = max(known, key=lambda one: one[1]["factor"])
        alike = [
            f"{label} {places[row['experiment']]:g}"
            for label, places in sweeps(run).items()
            if row["experiment"] in places
        ]
        where = [run.title(row["experiment"]), *alike, row["combination"], f"n = {row['n']:.0f}"]
        yield (
            f"**The largest factor** of any merger against {baseline(run.names, reference)}, "
            f"{DEFAULT_DELTA:g} point lost: "
            f"{factor_cell(row)} (PAM in the paper {row['paper']:.2f} ×), by "
            f"{run.names.merging(row['merging'])} and {run.names.pruning(row['pruning'])}; "
            f"{', '.join(where)}."
        )
