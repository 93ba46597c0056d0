"""Figure: shared, exclusive and removed neurons against how much two tasks have in common."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.figures.panels import facets, marked_lines, named, spread
from pam.reporting.run import Run
from pam.reporting.statistics.analyses import ALL_LAYERS, layers_of, shares
from pam.reporting.storage import select

SOURCES = ("relatedness",)
TITLE = "Do related tasks share more neurons?"
NOTE = (
    "one mark per pair of tasks: mean over seeds, bars: 95 % interval, of two seeds their range · "
    "the pairs with the least and the most in common are named"
)

_LOOKS = {
    "shared": style.Look("shared", style.BLUE, "o"),
    "exclusive": style.Look("exclusive", style.ORANGE, "^"),
    "removed": style.Look("removed", style.DARK, "X"),
}


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel per pruning-aware merger and layer; None where no pairs were regrouped."""
    found = shares(run, experiment)
    if found.empty:
        return None
    found = named(run, found[found["part"].isin(_LOOKS)])
    found["layer"] = pd.Categorical(found["layer"], layers_of(found))
    whole = found["layer"] == ALL_LAYERS
    found = pd.concat([found[whole], spread(found[~whole], 5)])
    labels = ("mutual information\nof the labels (nats)", "neurons (%)")
    panels = facets(found, "merging", "layer", (1.9, 2.0), labels, sharex=True, sharey=True)
    for axes, points in panels:
        marked_lines(axes, points, "information", "mean", "part", _LOOKS)
        colours = [_LOOKS[part].colour for part in points["part"]]
        axes.vlines(points["information"], points["low"], points["high"], colours, lw=1.0)
        axes.set_ylim(-3, 103)
        axes.margins(x=0.08)
        if axes in panels.grid[:, 0]:
            _name_ends(axes, select(points, part="shared"))
    return panels.with_legend(style.marks(_LOOKS.values()))


def _name_ends(axes: Axes, points: pd.DataFrame) -> None:
    """Write the names of the pairs with the least and the most in common under the panel's top."""
    for place, align, offset in ((0, "left", 3), (-1, "right", -3)):
        pair = points.iloc[place]
        axes.axvline(pair["information"], color="#999999", lw=0.7, ls=":", zorder=0)
        text = f"{pair['task_a']},\n{pair['task_b']}"
        look = {"ha": align, "va": "top", "fontsize": 6, "textcoords": "offset points"}
        axes.annotate(text, (pair["information"], 98), (offset, 0), **look)
