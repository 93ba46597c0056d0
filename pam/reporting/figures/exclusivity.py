"""Figure: what a pruned, all-shared network loses with the neurons most exclusive to a task."""

from itertools import product
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pam.reporting.figures import style
from pam.reporting.names import merging_name, order_mergings, order_prunings, pruning_name
from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.analyses import removals
from pam.reporting.statistics.bootstrap import mean_interval
from pam.reporting.storage import select

SOURCES = ("exclusivity", "operating_points")
TITLE = "Which shared neurons only one task needs"
NOTE = (
    "neurons removed one after another, those most exclusive to the named task first · lines: "
    "mean over seeds, bands: 95 % bootstrap interval · right: one mark per neuron, by the task it "
    "tells most about · the cheapest network within 1 percentage point of the single-task "
    "networks, or the least pruned one"
)

_MARKERS = ("o", "^", "P", "X", "v", "D")
_MOST_ROWS = 6


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where nothing was removed.

    Rows are pruning schemes and layers, columns the task whose neurons go first; across, removed
    neurons, up, test accuracy of every task. The last column shows what every neuron tells about
    the task it tells most about and about the others.
    """
    rows = removals(Run(folder), experiment)
    if rows.empty:
        return None
    tasks = sorted(rows["task"].unique())
    looks = dict(zip(tasks, zip(style.TASK_COLOURS, _MARKERS, strict=True), strict=False))
    places = [
        place
        for place in product(
            order_mergings(rows["merging"]),
            order_prunings(rows["pruning"]),
            sorted(rows["layer"].unique(), key=natural_key),
        )
        if len(_at(rows, place))
    ][:_MOST_ROWS]
    columns = len(tasks) + 1
    figure = style.new_figure(2.2 * columns + 0.8, 1.75 * len(places) + 0.8)
    panels = figure.subplots(len(places), columns, squeeze=False)
    for row, place in zip(panels, places, strict=True):
        cells = _at(rows, place)
        for axes, favourite in zip(row, tasks, strict=False):
            _accuracies(axes, select(cells, exclusive_to=favourite), looks)
            axes.sharey(row[0])
        for axes in row[1:-1]:
            axes.tick_params(labelleft=False)
        _information(row[-1], cells, tasks, looks)
        row[0].set_ylabel(f"{_label(*place)}\ntest accuracy (%)")
    for axes, favourite in zip(panels[0], tasks, strict=False):
        axes.set_title(f"exclusive to {favourite} first")
    panels[0][-1].set_title("what neurons tell")
    for axes in panels[-1][:-1]:
        axes.set_xlabel("removed neurons")
    panels[-1][-1].set_xlabel(_across(tasks))
    handles = [
        Line2D([], [], color=colour, marker=marker, ms=4.5, label=f"task {task}")
        for task, (colour, marker) in looks.items()
    ]
    style.top_legend(figure, handles)
    return figure


def _at(rows: pd.DataFrame, place: tuple[str, str, str]) -> pd.DataFrame:
    return select(rows, **dict(zip(("merging", "pruning", "layer"), place, strict=True)))


def _label(merging: str, pruning: str, layer: str) -> str:
    return f"{merging_name(merging)}, {pruning_name(pruning)}, {layer}"


def _accuracies(axes: Axes, rows: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    # Networks of other seeds may have fewer neurons left: a mean is over all seeds or none.
    full = rows.groupby("seed")["step"].max().min()
    for task, (colour, marker) in looks.items():
        curve = select(rows, task=task)
        curve = curve[curve["step"] <= full]
        points = [
            mean_interval(list(100 * cells["accuracy"]), list(cells["seed"]), "exclusivity")
            for _, cells in curve.groupby("step")
        ]
        steps = sorted(curve["step"].unique())
        every = max(1, len(steps) // 8)
        mean = [point.mean for point in points]
        axes.plot(steps, mean, color=colour, marker=marker, ms=3, markevery=every, lw=1.3)
        bounds = [point.low for point in points], [point.high for point in points]
        axes.fill_between(steps, *bounds, color=colour, alpha=0.15, lw=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    style.grid(axes)


def _information(
    axes: Axes, rows: pd.DataFrame, tasks: list[str], looks: dict[str, tuple[str, str]]
) -> None:
    """Draw one mark per neuron of every seed: two tasks against each other, or most and others."""
    rows = rows.drop_duplicates(["seed", "neuron", "task"])
    known = rows.pivot(index=["seed", "neuron"], columns="task", values="information_nats")
    known = known.dropna()
    most = known.idxmax(axis=1)
    if len(tasks) == 2:
        x, y = known[tasks[0]], known[tasks[1]]
    else:
        x = known.max(axis=1)
        y = (known.sum(axis=1) - x) / (len(tasks) - 1)
    for task, (colour, marker) in looks.items():
        chosen = most == task
        axes.plot(x[chosen], y[chosen], marker, color=colour, ms=3.5, alpha=0.7, mew=0)
    high = 1.06 * max([*x, *y, 1e-9])
    axes.plot([0, high], [0, high], color="#CCCCCC", lw=0.8, zorder=0)
    axes.set_xlim(-0.03 * high, high)
    axes.set_ylim(-0.03 * high, high)
    axes.locator_params(nbins=4)
    axes.set_ylabel(f"information about {tasks[1]}\n(nats)" if len(tasks) == 2 else _UP)
    style.grid(axes, "both")


_UP = "information about\nothers, mean (nats)"


def _across(tasks: list[str]) -> str:
    return f"information about {tasks[0] if len(tasks) == 2 else 'one task'} (nats)"
