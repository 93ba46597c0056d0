"""Figure: training curves of the single-task networks and of the merged ones after them."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pam.reporting.figures import style
from pam.reporting.figures.panels import facets, marked_lines, merging_looks, named, twins
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import mean_interval
from pam.reporting.storage import select

SOURCES = ("training",)
TITLE = "Have the networks finished training?"
NOTE = (
    "lines: mean over seeds, and over the tasks of a merged network · bands: 95 % interval, of "
    "two seeds their range"
)

_STAGES = {
    "pretrain": "training of the trunk",
    "train": "single-task training",
    "merge": "retraining while merging",
}
_QUANTITIES = {"validation_accuracy": "validation accuracy (%)", "loss": "training loss"}


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel per quantity and stage; None where no curves were recorded."""
    rows = select(run.table("training"), experiment=experiment)
    # Of pruning, the frontier says more: a path is many short trainings, of networks that shrink.
    rows = rows[rows["stage"].isin(_STAGES)]
    if rows.empty:
        return None
    curves = _curves(run, rows)
    alone = curves["column"].isin([_STAGES["pretrain"], _STAGES["train"]])
    tasks = sorted({*curves["curve"][alone]})
    greys = sns.color_palette("blend:#222222,#AAAAAA", len(tasks)).as_hex()
    looks = {
        name: style.Look(name, grey, one.marker)
        for name, grey, one in zip(tasks, greys, style.group_looks(tasks).values(), strict=True)
    }
    looks |= merging_looks(run, experiment, set(rows["merging"]) - {""})
    labels = twins(curves, "curve")
    curves["curve"] = curves["curve"].map(labels)
    curves = curves.dropna(subset="curve")
    looks = {
        labels[name]: look._replace(label=labels[name])
        for name, look in looks.items()
        if name in labels
    }
    panels = facets(curves, "quantity", "column", (2.1, 1.7), ("epoch", ""), sharex="col")
    for axes, points in panels:
        means = points.groupby(["curve", "epoch"])["value"].apply(mean_interval)
        means = pd.DataFrame([*means], means.index).reset_index()
        marked_lines(axes, means, "epoch", "mean", "curve", looks)
        _bands(axes, means.dropna(subset="low"), looks)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    # What a merger minimises is not always the loss of the tasks: only accuracies have one scale.
    limits = [limit for axes in panels.grid[0] for limit in axes.get_ylim()]
    for axes in panels.grid[0]:
        axes.set_ylim(min(limits), max(limits))
    return panels.with_legend(style.marks(looks.values()))


def _bands(axes: Axes, means: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    """Draw the intervals of every curve."""
    curves = dict([*means.groupby("curve")])
    outlines = [
        np.r_[band[["epoch", "low"]].to_numpy(), band[["epoch", "high"]].to_numpy()[::-1]]
        for band in curves.values()
    ]
    colours = [looks[name].colour for name in curves]
    axes.add_collection(PolyCollection(outlines, facecolors=colours, alpha=0.12, lw=0))


def _curves(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a value per column, curve (merging, or task), quantity, seed and epoch.

    The tasks of a merged network are averaged, so that bands show how far seeds differ.
    """
    rows = named(run, rows.rename(columns=_QUANTITIES))
    merging = rows["merging"].astype(str)
    rows["column"] = pd.Categorical(rows["stage"].map(_STAGES), list(_STAGES.values()))
    rows["curve"] = merging.where(merging != "", "task " + rows["task"])
    cell = ["column", "curve", "seed"]
    quantities = list(_QUANTITIES.values())
    long = rows.melt([*cell, "task", "step"], quantities, "quantity")
    long["quantity"] = pd.Categorical(long["quantity"], quantities)
    long["value"] *= np.where(long["quantity"] == quantities[0], 100, 1)
    long = long.dropna(subset="value").sort_values("step", kind="stable")
    # Steps go on where a stage has several phases, epochs start again; networks that share
    # nothing are trained one after the other, so every task counts its own.
    own = long.groupby([*cell, "quantity", "task"])
    long["epoch"] = own.cumcount() + 1
    return long.groupby([*cell, "quantity", "epoch"], as_index=False)["value"].mean()
