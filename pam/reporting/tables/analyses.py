"""The tables of relatedness, and of the two conditions for merging before pruning."""

from pam.reporting.run import Run
from pam.reporting.statistics.analyses import (
    AFTER,
    ALL_LAYERS,
    BEFORE,
    KEPT,
    PAIR,
    PARTS,
    QUANTITIES,
    correlations,
    layers_of,
    loss,
    removals,
    shares,
)
from pam.reporting.storage import select
from pam.reporting.tables.cell_text import Lookup, interval, row_interval
from pam.reporting.tables.text_table import Document, TextTable

_INTERVAL = "In square brackets: 95 % interval over seeds; of two seeds their range."


def relatedness(run: Run, experiment: str) -> Document | None:
    """Return shared, exclusive and removed neurons per pair of tasks; None without data."""
    shared = shares(run, experiment)
    if shared.empty:
        return None
    lookup, layers = Lookup(run.names, shared, [*PAIR, "layer", "part"]), layers_of(shared)
    whole, by_layer = [], []
    for merging in lookup.values("merging"):
        pairs = select(shared, merging=merging)[["task_a", "task_b"]].drop_duplicates()
        for pair in pairs.itertuples(index=False, name=None):
            total = {part: lookup.get(merging, *pair, ALL_LAYERS, part) for part in (*PARTS, KEPT)}
            labels = [run.names.merging(merging), ", ".join(pair)]
            labels.append(f"{total[KEPT]['information']:.2f}")
            cells = [row_interval(row, ".1f") for row in total.values()]
            whole.append([*labels, f"{total['shared']['n']}", *cells])
            kept = lookup.all(*((merging, *pair, layer, KEPT) for layer in layers[1:]))
            by_layer.append([*labels, *(row_interval(row, ".1f") for row in kept)])
    header = ["merging", "tasks", "label MI (nats)"]
    return Document(
        title=f"{run.title(experiment)}: what related tasks share",
        intro="Neurons of two networks, in percent: shared, exclusive to one task, removed; pairs "
        f"of tasks by the mutual information of their labels. {_INTERVAL} They end at 0 and 100.",
        tables=[
            TextTable("All layers (% of neurons)", [*header, "n", *PARTS, KEPT], whole, 3),
            TextTable("Shared (% of the kept neurons)", [*header, *layers[1:]], by_layer, 3),
        ],
        numbers=run.text_rows("relatedness", experiment=experiment),
    )


def exclusivity(run: Run, experiment: str) -> Document | None:
    """Return what half a layer's neurons are worth to each task; None where none were removed."""
    rows = removals(run, experiment)
    if rows.empty:
        return None
    axes = ["pruning", "merging", "layer", "exclusive_to"]
    body = []
    for place in Lookup(run.names, rows, axes).places(*axes):
        pruning, merging, layer, favourite = place
        cells = select(rows, **dict(zip(axes, place, strict=True)))
        half = cells.groupby("seed")["step"].max().min() // 2
        losses = [
            loss(cells[(cells["task"] == favourite) == is_favourite], half)
            for is_favourite in (True, False)
        ]
        labels = [run.names.pruning(pruning), run.names.merging(merging), layer, favourite]
        shown = [interval(*lost[1:], ".1f") for lost in losses]
        body.append([*labels, f"{losses[0].n}", f"{half:.0f}", *shown])
    header = ["pruning", "merging", "layer", "exclusive to", "n", "removed", "this task", "others"]
    return Document(
        title=f"{run.title(experiment)}: task-specific neurons of a pruned, shared network",
        intro="Loss of test accuracy, in percentage points, once half of a layer's neurons are "
        "gone, those most exclusive to one task first: of that task, and the mean of the others. "
        "The network is the cheapest one within 1 percentage point of the single-task networks on "
        f"validation data, or the least pruned one. {_INTERVAL}",
        tables=[TextTable("Loss of accuracy (percentage points)", header, body, 4)],
        numbers=run.text_rows("exclusivity", experiment=experiment),
    )


def redundancy(run: Run, experiment: str) -> Document | None:
    """Return the correlation between exclusive groups before and after; None without data."""
    estimates = correlations(run, experiment)
    if estimates.empty:
        return None
    lookup = Lookup(run.names, estimates, ["pruning", "merging", "layer", "stage", "quantity"])
    columns = [(stage, quantity) for quantity in QUANTITIES for stage in (BEFORE, AFTER)]
    rows = []
    for place in lookup.places("pruning", "merging", "layer"):
        cells = lookup.all(*((*place, *column) for column in columns))
        # Of the two stages the one with fewer seeds.
        n = min(row["n"] for row in cells if row)
        labels = [run.names.pruning(place[0]), run.names.merging(place[1]), place[2]]
        rows.append([*labels, f"{n}", *(row_interval(row, ".2f") for row in cells)])
    header = ["pruning", "merging", "layer", "n", "mean, before", "mean, after"]
    header += ["largest, before", "largest, after"]
    return Document(
        title=f"{run.title(experiment)}: redundancy between exclusive groups",
        intro="Absolute Pearson correlation between neurons exclusive to one task and neurons "
        "exclusive to another, before pruning and in the most pruned networks that have both. "
        "Mean: of every neuron with the one of the other group that it resembles most; largest: "
        f"of the most similar pair. {_INTERVAL}",
        tables=[TextTable("Correlation of exclusive neurons", header, rows, 3)],
        numbers=run.text_rows("redundancy", experiment=experiment),
    )
