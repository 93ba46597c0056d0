"""The tables beside the main one: other deltas, the actual networks, and the headline factors."""

from pathlib import Path

from pam.reporting.names import (
    merging_name,
    order_combinations,
    order_mergings,
    order_prunings,
    pooled,
    pruning_name,
)
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.storage import read_table, read_text_table
from pam.reporting.tables.cells import cost_cell, factor_cell, notes_for, number, ratio_cell
from pam.reporting.tables.comparison import setting
from pam.reporting.tables.text_table import Document, TextTable


def sensitivity(folder: Path, experiment: str) -> Document | None:
    """Return how the comparison depends on delta: matched MFLOPs and ratios at every delta."""
    matched = select(read_table(folder, "matched"), experiment=experiment)
    if matched.empty:
        return None
    rows = {
        (row["pruning"], row["combination"], row["merging"], row["delta"]): row
        for row in matched.to_dict("records")
    }
    n = int(matched["n"].max()) if len(matched) else 0
    deltas = sorted(matched["delta"].unique())
    family = [m for m in order_mergings(matched["merging"]) if m == "pam" or m.startswith("pam_")]
    places = [
        (pruning, combination)
        for pruning in order_prunings(matched["pruning"])
        for combination in order_combinations(matched["combination"])
    ]
    costs = [
        [pruning_name(place[0]), place[1], merging_name(merging)]
        + [cost_cell(rows.get((*place, merging, delta)), n) for delta in deltas]
        for place in places
        for merging in order_mergings(matched["merging"])
    ]
    ratios = [
        [pruning_name(place[0]), place[1], merging_name(merging)]
        + [
            ratio_cell(
                rows.get((*place, merging, delta)),
                rows.get((*place, reference, delta)),
                f"flops_vs_{reference}",
            )
            for reference in REFERENCES
            for delta in deltas
        ]
        for place in places
        for merging in family
    ]
    labels = ["pruning", "tasks", "merging"]
    names = [merging_name(reference).split()[0] for reference in REFERENCES]
    ratio_header = [*labels, *(f"/ {name}, δ = {delta:g}" for name in names for delta in deltas)]
    cost_header = [*labels, *(f"δ = {delta:g}" for delta in deltas)]
    return Document(
        title=f"{_setting(folder, experiment)}: how the comparison depends on δ",
        intro="δ is the loss of validation accuracy, in percentage points below the single-task "
        "networks, at which the mergers are compared.",
        tables=[
            _table("Computation (MFLOPs)", cost_header, costs, 3),
            _table("Ratio of computation to B1 and to B2", ratio_header, ratios, 3),
        ],
        numbers=select(read_text_table(folder, "matched"), experiment=experiment),
    )


def operating_points(folder: Path, experiment: str) -> Document | None:
    """Return the actual networks: per seed, the cheapest that meets the default delta."""
    points = select(
        read_table(folder, "operating_points"), experiment=experiment, delta=DEFAULT_DELTA
    )
    if points.empty:
        return None
    axes = ["pruning", "merging", "seed", "combination"]
    by_axes = {tuple(row[axis] for axis in axes): row for row in points.to_dict("records")}
    combinations = order_combinations(points["combination"])
    rows = []
    for pruning in order_prunings(points["pruning"]):
        for merging in order_mergings(points["merging"]):
            for seed in sorted(points["seed"].unique()):
                cells = [by_axes.get((pruning, merging, seed, name)) for name in combinations]
                if any(cells):
                    labels = [pruning_name(pruning), merging_name(merging), f"{seed:.0f}"]
                    rows.append(labels + _network(cells, combinations))
    header = ["pruning", "merging", "seed", "strength", "margin", "accuracy (%)"]
    header += [f"MFLOPs {name}" for name in pooled(combinations)] + ["parameters"]
    raw = select(read_text_table(folder, "operating_points"), experiment=experiment)
    return Document(
        title=f"{_setting(folder, experiment)}: the networks that meet δ",
        intro=f"Per seed, the cheapest network measured whose validation accuracy lies at most "
        f"{DEFAULT_DELTA:g} percentage point below the single-task networks for every task. "
        "Networks that share nothing choose a strength each. Margin (percentage points, "
        "validation), test accuracy and parameters are of all tasks together. Of more than two "
        "tasks the MFLOPs are means over all combinations of as many tasks.",
        tables=[_table("Operating points", header, rows, 4)],
        numbers=raw[raw["delta"].astype(float) == DEFAULT_DELTA],
    )


def _network(cells: list[dict | None], combinations: list[str]) -> list[str]:
    """Return strength, margin, accuracy, MFLOPs per combination and parameters of one seed."""
    whole = cells[-1]
    if whole is None or whole["status"] != OK:
        first = ["—†", "—†", "—†"]
    else:
        margin = number(whole["validation_margin"], ".2f")
        first = [whole["strengths"], margin, number(100 * whole["accuracy"], ".2f")]
    flops = {
        name: cell["flops"] if cell and cell["status"] == OK else None
        for name, cell in zip(combinations, cells, strict=True)
    }
    costs = [_mean_cost([flops[n] for n in names]) for names in pooled(combinations).values()]
    parameters = number(whole["parameters"], ",.0f") if first[0] != "—†" else "—†"
    return [*first, *costs, parameters]


def _mean_cost(flops: list[float | None]) -> str:
    if None in flops:
        return "—†"
    return number(1e-6 * sum(flops) / len(flops), "#.3g")


def headline(folder: Path, experiment: str) -> Document | None:
    """Return the largest factors against B1 and B2 beside the paper's."""
    factors = select(read_table(folder, "headline"), experiment=experiment)
    if factors.empty:
        return None
    order = [
        (against, merging)
        for against in REFERENCES
        for merging in order_mergings(factors["merging"])
    ]
    rows = [
        [
            merging_name(row["against"]),
            merging_name(row["merging"]),
            f"{row['delta']:g}",
            pruning_name(row["pruning"]),
            row["combination"],
            factor_cell(row),
            f"{row['n']:.0f}",
            f"{row['paper']:.2f} ×",
        ]
        for against, merging in order
        for row in select(factors, against=against, merging=merging).to_dict("records")
    ]
    header = ["against", "merging", "δ", "pruning", "tasks", "times less", "n", "paper"]
    return Document(
        title=f"{_setting(folder, experiment)}: the largest factors",
        intro="FLOPs of the baseline divided by FLOPs of the merger at matched accuracy, where "
        "that is largest over pruning schemes and task combinations (a choice that favours large "
        "values); the paper's figures are the largest over all its data sets.",
        tables=[_table("Times less computation", header, rows, 5)],
        numbers=select(read_text_table(folder, "headline"), experiment=experiment),
    )


def _setting(folder: Path, experiment: str) -> str:
    return setting(select(read_table(folder, "measurements"), experiment=experiment))


def _table(title: str, header: list[str], rows: list[list[str]], labels: int) -> TextTable:
    notes = notes_for([cell for row in rows for cell in row[labels:]])
    return TextTable(title, header, rows, labels, notes=notes)
