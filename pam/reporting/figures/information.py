"""Figure: what every neuron tells about the labels of one task and of another, by group."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pam.reporting.figures import style
from pam.reporting.names import merging_name, order_mergings
from pam.reporting.schema import natural_key
from pam.reporting.statistics.curves import SHARED
from pam.reporting.storage import read_table, select

SOURCES = ("neuron_information",)
TITLE = "What each neuron knows of the tasks"
NOTE = "one mark per neuron of one seed · 100 % would be all there is to know about a task's labels"

REMOVED = "removed"
_COMMON = {REMOVED: ("#C9A227", "x"), SHARED: (style.GREY, "o")}
_MARKERS = ("^", "v", "P", "X", "<")
_MAX_LAYERS = 8


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where no information was recorded.

    One panel per layer (columns) and pruning-aware merger (rows), one dot per neuron of the first
    seed: information about the labels of the first task (across) and of the second (up), both as a
    share of the entropy of the labels. Of more than two tasks: information about the task that a
    neuron tells most about, and the mean of the others. Diamonds are the means of the groups.
    """
    rows = select(read_table(folder, "neuron_information"), experiment=experiment)
    rows = rows[rows["merging"].str.startswith("pam")]
    tasks = sorted(rows["task"].unique())
    if len(tasks) < 2:
        return None
    rows = rows.assign(share=100 * rows["information_nats"] / rows["label_entropy_nats"])
    rows = rows[rows["seed"] == rows["seed"].min()]
    neurons = rows.pivot_table(
        index=["merging", "layer", "neuron", "group"], columns="task", values="share"
    )
    across, up = tasks if len(tasks) == 2 else ("one task", "the others")
    neurons = _coordinates(neurons, tasks).reset_index()
    mergings = order_mergings(neurons["merging"])
    layers = style.spread(sorted(neurons["layer"].unique(), key=natural_key), _MAX_LAYERS)
    looks = group_looks(neurons["group"].unique())
    figure = style.new_figure(1.8 * len(layers) + 0.9, 1.8 * len(mergings) + 1.0)
    panels = figure.subplots(len(mergings), len(layers), squeeze=False)
    for row, merging in zip(panels, mergings, strict=True):
        for axes, layer in zip(row, layers, strict=True):
            _panel(axes, select(neurons, merging=merging, layer=layer), looks)
            if axes in panels[0]:
                axes.set_title(layer)
            if axes in panels[-1]:
                axes.set_xlabel(f"information about {across}\n(% of label entropy)")
        row[0].set_ylabel(f"{merging_name(merging)}\ninformation about {up}\n(% of label entropy)")
    handles = [
        Line2D([], [], ls="none", marker=marker, color=colour, ms=4.5, label=_label(name))
        for name, (colour, marker) in looks.items()
    ]
    handles.append(
        Line2D([], [], ls="none", marker="D", mfc="white", mec="black", ms=5, label="group mean")
    )
    style.top_legend(figure, handles, columns=min(len(handles), 8))
    return figure


def _coordinates(neurons: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    """Return where every neuron stands: ``x`` and ``y``, in percent of label entropy."""
    if len(tasks) == 2:
        return pd.DataFrame({"x": neurons[tasks[0]], "y": neurons[tasks[1]]})
    most = neurons[tasks].max(axis=1)
    return pd.DataFrame({"x": most, "y": (neurons[tasks].sum(axis=1) - most) / (len(tasks) - 1)})


def group_looks(groups: list[str]) -> dict[str, tuple[str, str]]:
    """Return (colour, marker) of every group, those of no single task first, to lie underneath."""
    common = {name: look for name, look in _COMMON.items() if name in groups}
    own = sorted((name for name in groups if name not in _COMMON), key=lambda n: (n.count("&"), n))
    colours, markers = style.TASK_COLOURS * len(own), _MARKERS * len(own)
    return common | {name: (colours[index], markers[index]) for index, name in enumerate(own)}


def _label(name: str) -> str:
    return name if name in _COMMON else f"only {name}"


def _panel(axes: Axes, neurons: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    means = []
    for group, (colour, marker) in looks.items():
        points = select(neurons, group=group)
        if points.empty:
            continue
        x, y = points["x"], points["y"]
        axes.plot(x, y, marker, color=colour, ms=3, alpha=0.55, mew=0.8 if marker == "x" else 0)
        means.append((x.mean(), y.mean(), colour))
    for x, y, colour in means:
        axes.plot(x, y, "D", mfc=colour, mec="black", mew=0.8, ms=5, zorder=5)
    high = 1.08 * max(neurons[["x", "y"]].max(axis=None), 1e-9)
    axes.plot([0, high], [0, high], color="#CCCCCC", lw=0.8, zorder=0)
    axes.set_xlim(-0.03 * high, high)
    axes.set_ylim(-0.03 * high, high)
    axes.set_box_aspect(1)
    axes.locator_params(nbins=4)
