"""Figure: measured time of every sub-network against its FLOPs."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pam.reporting.figures import style
from pam.reporting.names import backend_name, merging_name, order_mergings, size_name
from pam.reporting.run import Run
from pam.reporting.statistics.latency import SETTING, order_settings, timed_networks
from pam.reporting.storage import select

SOURCES = ("latency", "measurements")
TITLE = "Time against computation"
NOTE = (
    "faint: sub-networks, one per combination, seed, strength and pruning; median over rounds of "
    "one forward pass · lines: median over those of like FLOPs, of the fewest tasks (dashed) and "
    "the most · dotted: time in proportion to FLOPs, through the most costly ones"
)

_MARKERS = "os^DPXv<>p*hd"
"""By how many tasks run; the last one for all that are more."""

_BINS_PER_DECADE = 5
_ACROSS = 2
"""Most panels in a row."""


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where nothing was timed.

    One panel per number of threads, backend and batch size.
    """
    timed = timed_networks(Run(folder), experiment)
    if timed.empty:
        return None
    mergings, panels = order_mergings(timed["merging"]), dict(list(timed.groupby(SETTING)))
    columns = min(len(panels), _ACROSS)
    rows = -(-len(panels) // columns)
    figure = style.new_figure(max(3.4 * columns, 5.2), 2.9 * rows + 0.8)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    several = [name for name in SETTING if timed[name].nunique() > 1]
    for axes, setting in zip(grid.flat, order_settings(timed), strict=False):
        _panel(axes, panels[setting], mergings)
        axes.set_title(_title(dict(zip(SETTING, setting, strict=True)), several))
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("time of one pass (ms)")
    for column in range(columns):
        last = (len(panels) - 1 - column) // columns
        grid[last, column].set_xlabel("computation of one image (MFLOPs)")
        grid[last, column].tick_params(axis="x", labelbottom=True)
    _legend(figure, mergings, sorted(timed["n_tasks"].unique()), columns)
    return figure


def _title(setting: dict[str, float | str], several: list[str]) -> str:
    size, threads = setting["batch_size"], setting["threads"]
    words = [f"batch of {size:.0f}" if size > 1 else "single images"]
    if "threads" in several:
        words.append(f"{threads:.0f} thread{'s' if threads > 1 else ''}")
    if "backend" in several:
        words.append(backend_name(str(setting["backend"])))
    return ", ".join(words)


def _panel(axes: Axes, points: pd.DataFrame, mergings: list[str]) -> None:
    colours = {name: colour for name, (colour, _) in style.merging_styles(mergings).items()}
    # In an order that depends on nothing, so that no merger hides the others.
    mixed = points.sample(frac=1, random_state=0)
    for n_tasks, group in mixed.groupby("n_tasks"):
        faint = [to_rgba(colours[name], 0.35) for name in group["merging"]]
        look = {"s": 7, "linewidths": 0, "marker": _marker(n_tasks), "zorder": 2}
        axes.scatter(1e-6 * group["flops"], group["median_ms"], c=faint, rasterized=True, **look)
    ends = {points["n_tasks"].min(): (0, (3, 1)), points["n_tasks"].max(): "-"}
    for merging, (n_tasks, dashes) in product(mergings, ends.items()):
        middle = _middle(select(points, merging=merging, n_tasks=n_tasks))
        line = {"color": colours[merging], "lw": 1.6, "zorder": 4, "ls": dashes}
        # Seen on marks of its own colour.
        line["path_effects"] = [Stroke(linewidth=3.0, foreground="white"), Normal()]
        axes.plot(1e-6 * middle["flops"], middle["median_ms"], **line)
    _proportional(axes, points)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    style.grid(axes, "both")


def _middle(points: pd.DataFrame) -> pd.DataFrame:
    """Return the medians of FLOPs and time in bins of equal width in the logarithm of FLOPs."""
    bins = np.floor(_BINS_PER_DECADE * np.log10(points["flops"]))
    return points.groupby(bins)[["flops", "median_ms"]].median()


def _proportional(axes: Axes, points: pd.DataFrame) -> None:
    """Draw the line on which half the FLOPs would take half the time."""
    costly = points[points["flops"] >= points["flops"].quantile(0.95)]
    per_flop = (costly["median_ms"] / costly["flops"]).median()
    lowest = max(points["flops"].min(), points["median_ms"].min() / per_flop)
    ends = np.array([lowest, points["flops"].max()])
    axes.plot(1e-6 * ends, per_flop * ends, ls=":", color=style.GREY, lw=1.0, zorder=3)


def _marker(n_tasks: float) -> str:
    return _MARKERS[min(int(n_tasks), len(_MARKERS)) - 1]


def _legend(figure: Figure, mergings: list[str], sizes: list[float], columns: int) -> None:
    """Put mergers, and below them the marks of so many tasks, above the panels."""
    lines = [
        Line2D([], [], color=colour, lw=1.6, label=merging_name(name))
        for name, (colour, _) in style.merging_styles(mergings).items()
    ]
    marks = [
        Line2D([], [], ls="none", marker=_marker(n), color=style.GREY, ms=4, label=size_name(n))
        for n in sizes
    ]
    across = min(3 + 2 * columns, max(len(lines), len(marks)))
    blank = Line2D([], [], ls="none", label=" ")
    rows = [
        [*group[start : start + across], *[blank] * across][:across]
        for group in (lines, marks)
        for start in range(0, len(group), across)
    ]
    # A legend is filled column by column.
    style.top_legend(figure, [row[i] for i in range(across) for row in rows], columns=across)
