"""The tables beside the main one: other deltas, the actual networks, largest factors, run time."""

from pam.reporting.names import pooled
from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.statistics.resources import rule_times, shares
from pam.reporting.tables.cells import (
    baseline,
    cost_cell,
    factor_cell,
    noted_table,
    number,
    ratio_cell,
)
from pam.reporting.tables.lookup import Lookup, Row
from pam.reporting.tables.text_table import Document, TextTable

_NOT_REACHED = "—†"


def sensitivity(run: Run, experiment: str) -> Document | None:
    """Return how the comparison depends on delta: matched MFLOPs and ratios at every delta."""
    matched = run.rows("matched", experiment=experiment)
    if matched.empty:
        return None
    names, n = run.names, int(matched["n"].max())
    lookup = Lookup(names, matched, ["pruning", "combination", "merging", "delta"])
    deltas = lookup.values("delta")
    costs, ratios = [], []
    for place in lookup.places("pruning", "combination"):
        for merging in lookup.values("merging"):
            rows = lookup.all(*((*place, merging, delta) for delta in deltas))
            labels = [names.pruning(place[0]), place[1], names.merging(merging)]
            costs.append([*labels, *(cost_cell(row, n) for row in rows)])
            if names.family(merging) == "pam":
                cells = [
                    ratio_cell(row, lookup.get(*place, reference, delta), f"flops_vs_{reference}")
                    for reference in REFERENCES
                    for row, delta in zip(rows, deltas, strict=True)
                ]
                ratios.append([*labels, *cells])
    header = ["pruning", "tasks", "merging"]
    of_costs = [f"δ = {delta:g}" for delta in deltas]
    of_ratios = [f"/ {baseline(names, base)}, {one}" for base in REFERENCES for one in of_costs]
    return Document(
        title=f"{run.title(experiment)}: how the comparison depends on δ",
        intro="δ is the loss of validation accuracy, in percentage points below the single-task "
        "networks, at which the mergers are compared.",
        tables=[
            noted_table("Computation (MFLOPs)", [*header, *of_costs], costs, 3),
            noted_table("Ratio of computation to B1 and to B2", [*header, *of_ratios], ratios, 3),
        ],
        numbers=run.text_rows("matched", experiment=experiment),
    )


def operating_points(run: Run, experiment: str) -> Document | None:
    """Return the actual networks: per seed, the cheapest that meets the default delta."""
    points = run.rows("operating_points", experiment=experiment, delta=DEFAULT_DELTA)
    if points.empty:
        return None
    lookup = Lookup(run.names, points, ["pruning", "merging", "seed", "combination"])
    combinations = lookup.values("combination")
    rows = []
    for pruning, merging, seed in lookup.places("pruning", "merging", "seed"):
        networks = {name: lookup.get(pruning, merging, seed, name) for name in combinations}
        labels = [run.names.pruning(pruning), run.names.merging(merging), f"{seed:.0f}"]
        rows.append([*labels, *_network(networks)])
    header = ["pruning", "merging", "seed", "strength", "margin", "accuracy (%)"]
    header += [f"MFLOPs {name}" for name in pooled(combinations)] + ["parameters"]
    return Document(
        title=f"{run.title(experiment)}: the networks that meet δ",
        intro=f"Per seed, the cheapest network measured whose validation accuracy lies at most "
        f"{DEFAULT_DELTA:g} percentage point below the single-task networks for every task. "
        "Networks that share nothing choose a strength each. Margin (percentage points, "
        "validation), test accuracy and parameters are of all tasks together. Of more than two "
        "tasks the MFLOPs are means over all combinations of as many tasks.",
        tables=[noted_table("Operating points", header, rows, 4)],
        numbers=run.text_rows(
            "operating_points", experiment=experiment, delta=f"{DEFAULT_DELTA:.2f}"
        ),
    )


def _network(networks: dict[str, Row | None]) -> list[str]:
    """Return strength, margin, accuracy, MFLOPs per combination and parameters of one seed.

    Args:
        networks: combination -> row of ``operating_points.csv``, all tasks last.
    """
    ok = {name: row for name, row in networks.items() if row and row["status"] == OK}
    costs = [
        number(1e-6 * sum(ok[name]["flops"] for name in names) / len(names), "#.3g")
        if ok.keys() >= set(names)
        else _NOT_REACHED
        for names in pooled(list(networks)).values()
    ]
    whole = ok.get(list(networks)[-1])
    if whole is None:
        return [*[_NOT_REACHED] * 3, *costs, _NOT_REACHED]
    margin, accuracy = number(whole["validation_margin"], ".2f"), 100 * whole["accuracy"]
    first = [whole["strengths"], margin, number(accuracy, ".2f")]
    return [*first, *costs, number(whole["parameters"], ",.0f")]


def headline(run: Run, experiment: str) -> Document | None:
    """Return the largest factors against B1 and B2 beside the paper's."""
    factors = run.rows("headline", experiment=experiment)
    if factors.empty:
        return None
    lookup = Lookup(run.names, factors, ["against", "merging", "delta"])
    rows = [
        [
            *(run.names.merging(row["against"]), run.names.merging(row["merging"])),
            *(f"{row['delta']:g}", run.names.pruning(row["pruning"]), row["combination"]),
            *(factor_cell(row), f"{row['n']:.0f}", f"{row['paper']:.2f} ×"),
        ]
        for row in lookup.all(*lookup.places("against", "merging", "delta"))
    ]
    header = ["against", "merging", "δ", "pruning", "tasks", "times less", "n", "paper"]
    return Document(
        title=f"{run.title(experiment)}: the largest factors",
        intro="FLOPs of the baseline divided by FLOPs of the merger at matched accuracy, where "
        "that is largest over pruning schemes and task combinations (a choice that favours large "
        "values); the paper's figures are the largest over all its data sets.",
        tables=[noted_table("Times less computation", header, rows, 5)],
        numbers=run.text_rows("headline", experiment=experiment),
    )


def resources(run: Run, experiment: str) -> Document | None:
    """Return what the jobs of every rule took; None where no job measured itself."""
    times = rule_times(run.rows("resources", experiment=experiment))
    if not times:
        return None
    rows = [
        [
            *(time.rule, f"{time.jobs:,}", f"{time.total:,.1f}", f"{100 * share:.0f} %"),
            *(f"{time.median:,.1f}", f"{time.longest:,.1f}", f"{time.cpu:,.1f}"),
            f"{time.memory:,.0f}",
        ]
        for time, share in zip(times, shares(times), strict=True)
    ]
    header = ["rule", "jobs", "wall clock (s)", "share", "median job (s)", "longest job (s)"]
    header += ["processor (s)", "peak memory (MB)"]
    return Document(
        title=f"{experiment}: where the time goes",
        intro="Wall clock and processor time of all jobs of a rule together, as each job measured "
        "itself; jobs may have run side by side. Peak memory is that of the largest job.",
        tables=[TextTable("Run time and memory per rule", header, rows, 1)],
        numbers=run.text_rows("resources", experiment=experiment),
    )
