"""Figure: when merging pays: cost against labels in common, number of tasks, or width."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.figures.panels import (
    beside,
    cost_lines,
    facets,
    in_mflops,
    levels,
    merging_looks,
)
from pam.reporting.names import size_name
from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.statistics.variants import REQUESTS, sweep_rows

SOURCES = ("requests", "measurements")
TITLE = "When does merging pay?"
NOTE = (
    f"lower is cheaper, at the same accuracy ({DEFAULT_DELTA:g} point lost on validation data) · "
    "experiments that differ in one thing alone · bars: 95 % interval over seeds, of two seeds "
    "their range · hollow: at most · no mark: not run, or a seed never comes that close"
)


def notes(run: Run, experiment: str) -> list[str]:
    """Return what rows have in common that their names and the axis do not say."""
    rows = sweep_rows(run)
    (pruner,) = rows.loc[rows["own"], "pruning"].unique()
    sizes = rows.groupby("experiment")["n_tasks"].max().unique()
    number = [size_name(sizes[0])] if len(sizes) == 1 else []
    pruned = f"pruned by {run.names.pruning(pruner)} where nothing else is named"
    return [" · ".join([*number, pruned])]


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a row of panels per sweep; None unless it is the first experiment of one."""
    rows = sweep_rows(run).dropna(subset="flops_mean")
    if rows.empty or experiment != min(rows["experiment"]):
        return None
    looks = _looks(run, experiment, rows)
    beside_of = rows["pruning"].where(rows["own"], "")
    labels = map(run.names.row, rows["merging"], rows["pruning"], beside_of)
    rows = rows.assign(merging=pd.Categorical([*labels], list(looks)))
    width = rows.groupby("sweep")["x"].transform(np.ptp)
    rows["at"] = rows["x"] + width * beside(rows["merging"], list(looks), 0.06)
    rows["request"] = pd.Categorical(rows["request"], REQUESTS)
    size, edges = (2.2, 2.0), ("", "computation (MFLOPs)")
    panels = facets(in_mflops(rows), "sweep", "request", size, edges, sharex="row", sharey="row")
    for axes, points in panels:
        cost_lines(axes, points, "at", looks)
        values = sorted(points["x"].unique())
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.margins(x=0.1)
    for row, sweep in zip(panels.grid, levels(rows["sweep"]), strict=True):
        row[0].set_ylabel(edges[1])
        for axes in row:
            axes.set_xlabel(sweep)
    return panels.with_legend(style.marks(looks.values()))


def _looks(run: Run, experiment: str, rows: pd.DataFrame) -> dict[str, style.Look]:
    """Return name -> look of every row: that of its merging, or a spare one of another pruner.

    Spare looks are dealt out from the last row on, so that a row has the same one in most figures.
    """
    looks = merging_looks(run, experiment, rows["merging"])
    spare, known = style.spare_looks(looks.values()), {}
    pruned = set(rows.loc[rows["own"], "merging"])
    for merging in run.names.order_mergings(rows["merging"]):
        look, of = looks[run.names.merging(merging)], rows[rows["merging"] == merging]
        if merging in pruned:
            known[look.label] = look
        for pruning in run.names.order_prunings(of.loc[~of["own"], "pruning"]):
            known[run.names.row(merging, pruning)] = None
    others = [label for label, look in known.items() if look is None]
    known.update((label, next(spare)._replace(label=label)) for label in reversed(others))
    return known
