"""Figure: shared, exclusive and removed neurons against how much two tasks have in common."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pam.reporting.figures import style
from pam.reporting.names import merging_name, order_mergings
from pam.reporting.run import Run
from pam.reporting.statistics.analyses import ALL_LAYERS, PARTS, layers_of, shares
from pam.reporting.storage import select

SOURCES = ("relatedness",)
TITLE = "What related tasks share"
NOTE = (
    "one mark per pair of tasks: mean over seeds, bars: 95 % bootstrap interval · the pairs with "
    "the least and the most in common are named"
)

_LOOKS = {
    "shared": (style.BLUE, "o"),
    "exclusive": (style.ORANGE, "^"),
    "removed": ("#555555", "x"),
}


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where no pairs were regrouped.

    Columns are layers (all together first), rows pruning-aware mergers; across, the mutual
    information of the labels of a pair of tasks, up, shares of their neurons in percent.
    """
    found = shares(Run(folder), experiment)
    if found.empty:
        return None
    layers = [ALL_LAYERS, *style.spread(layers_of(found)[1:], 5)]
    mergings = order_mergings(found["merging"])
    figure = style.new_figure(1.9 * len(layers) + 0.9, 2.0 * len(mergings) + 0.9)
    panels = figure.subplots(len(mergings), len(layers), squeeze=False, sharex=True, sharey=True)
    for row, merging in zip(panels, mergings, strict=True):
        for axes, layer in zip(row, layers, strict=True):
            _panel(axes, select(found, merging=merging, layer=layer))
            if axes in panels[0]:
                axes.set_title(layer)
            if axes in panels[-1]:
                axes.set_xlabel("label information (nats)")
        row[0].set_ylabel(f"{merging_name(merging)}\nneurons (%)")
        _name_ends(row[0], select(found, merging=merging, layer=ALL_LAYERS, part="shared"))
    handles = [
        Line2D([], [], color=colour, marker=marker, ms=5, label=part)
        for part, (colour, marker) in _LOOKS.items()
    ]
    style.top_legend(figure, handles)
    return figure


def _panel(axes: Axes, found: pd.DataFrame) -> None:
    for part in PARTS:
        colour, marker = _LOOKS[part]
        points = select(found, part=part)
        x = points["information"]
        axes.plot(x, points["mean"], marker=marker, color=colour, ms=4, lw=1.2)
        known = points.dropna(subset="low")
        axes.vlines(known["information"], known["low"], known["high"], color=colour, lw=1.0)
    axes.set_ylim(-3, 103)
    axes.margins(x=0.08)
    style.grid(axes)


def _name_ends(axes: Axes, points: pd.DataFrame) -> None:
    """Write the names of the pairs with the least and the most in common under the panel's top."""
    for place, align in ((0, "left"), (-1, "right")):
        pair = points.iloc[place]
        line = {"color": "#999999", "lw": 0.7, "ls": ":", "zorder": 0}
        axes.axvline(pair["information"], **line)
        text = f"{pair['task_a']},\n{pair['task_b']}"
        offset = (3, 0) if align == "left" else (-3, 0)
        look = {"ha": align, "va": "top", "fontsize": 6, "textcoords": "offset points"}
        axes.annotate(text, (pair["information"], 98), offset, **look)
