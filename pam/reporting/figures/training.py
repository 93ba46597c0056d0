"""Figure: training curves of the single-task networks and of the merged ones after them."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pam.reporting.figures import style
from pam.reporting.names import merging_name, order_mergings, order_prunings, pruning_name
from pam.reporting.storage import read_table, select

SOURCES = ("training",)
TITLE = "Training curves"
NOTE = "lines: means over seeds, pruning strengths and tasks · bands: their range"

_STAGES = {"train": "single-task training", "merge": "retraining while merging"}
_LINES = ("-", "--", ":", "-.", (0, (6, 1.5)), (0, (1, 3)))
_QUANTITIES = {
    "validation_accuracy": ("validation accuracy (%)", 100),
    "loss": ("training loss", 1),
}

Line = str | tuple[int, tuple[float, float]]

Looks = dict[str, tuple[str, Line, str]]
"""curve (a merger, or ``task A``) -> colour, line style, marker."""


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where no curves were recorded.

    Columns are single-task training, merging and each pruning scheme (its fine-tuning included),
    rows validation accuracy and training loss against epochs; a line is the mean over seeds,
    strengths and tasks, a band their range.
    """
    rows = select(read_table(folder, "training"), experiment=experiment)
    if rows.empty:
        return None
    columns = _columns(rows)
    looks = _looks(rows)
    figure = style.new_figure(max(2.1 * len(columns) + 0.9, 5.0), 4.2)
    panels = figure.subplots(2, len(columns), squeeze=False, sharex="col")
    for column, (title, curves) in zip(panels.T, columns.items(), strict=True):
        for axes, (quantity, (_, scale)) in zip(column, _QUANTITIES.items(), strict=True):
            _panel(axes, curves, quantity, scale, looks)
        column[0].set_title(title)
        column[-1].set_xlabel("epoch")
    # The penalty of a pruner is part of its loss, so only accuracies have one scale.
    limits = [limit for axes in panels[0] for limit in axes.get_ylim()]
    for axes in panels[0]:
        axes.set_ylim(min(limits), max(limits))
    for axes, (label, _) in zip(panels[:, 0], _QUANTITIES.values(), strict=True):
        axes.set_ylabel(label)
    handles = [_handle(name, *look) for name, look in looks.items()]
    style.top_legend(figure, handles, columns=min(len(handles), 8))
    return figure


def _columns(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return title -> rows of every column that has any."""
    columns = {title: select(rows, stage=stage) for stage, title in _STAGES.items()}
    for pruning in order_prunings(name for name in rows["pruning"] if name):
        title = f"pruning: {pruning_name(pruning)}"
        columns[title] = select(rows, pruning=pruning)
    return {title: curves for title, curves in columns.items() if len(curves)}


def _looks(rows: pd.DataFrame) -> Looks:
    """Return how every curve looks: single tasks first, then mergers."""
    tasks = sorted(task for task in select(rows, stage="train")["task"].unique() if task)
    looks = {
        f"task {task}": (style.GREY, _LINES[index % len(_LINES)], "")
        for index, task in enumerate(tasks)
    }
    mergings = order_mergings(name for name in rows["merging"] if name)
    for name, (colour, marker) in style.merging_styles(mergings).items():
        looks[name] = (colour, "-", marker)
    return looks


def _handle(name: str, colour: str, line: Line, marker: str) -> Line2D:
    label = name if name.startswith("task ") else merging_name(name)
    return Line2D([], [], color=colour, ls=line, marker=marker, ms=4, label=label)


def _panel(axes: Axes, rows: pd.DataFrame, quantity: str, scale: float, looks: Looks) -> None:
    names = rows["merging"].where(rows["merging"] != "", "task " + rows["task"])
    for name, (colour, line, marker) in looks.items():
        curve = rows[names == name].dropna(subset=quantity)
        if curve.empty:
            continue
        # Steps go on where a stage has several phases, epochs start again; networks that share
        # nothing are trained one after the other, so every task counts its own.
        own = curve.sort_values("step").groupby(["strength", "seed", "task"], dropna=False)
        values = (scale * curve[quantity]).groupby(own.cumcount() + 1)
        mean = values.mean()
        axes.plot(mean.index, mean, ls=line, color=colour, marker=marker, ms=3)
        axes.fill_between(mean.index, values.min(), values.max(), color=colour, alpha=0.12, lw=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    style.grid(axes)
