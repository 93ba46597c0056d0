"""Figure: measured time of every sub-network against its FLOPs."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from pam.reporting.figures import style
from pam.reporting.figures.panels import facets, lines, log_axis, named, scatter
from pam.reporting.names import backend_name, size_name
from pam.reporting.run import Run
from pam.reporting.statistics.latency import (
    UNSTEADY_NOTE,
    is_unsteady,
    order_settings,
    timed_networks,
    timed_on,
)

SOURCES = ("latency", "measurements")
TITLE = "Does less computation take less time?"
NOTE = (
    "faint: sub-networks, one per combination, seed, strength and pruning; median over rounds of "
    "one forward pass · lines: median of at least four sub-networks of similar FLOPs, for the "
    "fewest tasks (dashed) and for all · dotted: time in proportion to FLOPs, through the most "
    "costly ones"
)

_MARKERS = "os^DPXv<>p*hd"
"""By how many tasks run; the last one for all that are more."""

_BINS_PER_DECADE = 5
_LEAST = 4
"""Sub-networks of a bin that has a median."""


def notes(run: Run, experiment: str) -> list[str]:
    """Return on which machine and threads times were taken, and whether they can be trusted."""
    timed = timed_networks(run, experiment)
    threads = " and ".join(f"{n:.0f}" for n in sorted(timed["threads"].unique()))
    machine = timed_on(run, experiment)
    where = f"timed on {machine or 'an unknown machine'}, threads: {threads}"
    return [where, *([UNSTEADY_NOTE.removeprefix("§ ")] if is_unsteady(timed) else [])]


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel per number of threads, backend and batch size; None without timings."""
    timed = timed_networks(run, experiment)
    if timed.empty:
        return None
    several = {name: timed[name].nunique() > 1 for name in ("threads", "backend")}
    rows, columns = {}, {}
    for threads, backend, batch in order_settings(timed):
        words = [f"{threads:.0f} thread{'s' * (threads > 1)}"] * several["threads"]
        words += [backend_name(backend)] * several["backend"]
        rows[threads, backend] = ", ".join(words)
        columns[batch] = f"batch of {batch:.0f}" if batch > 1 else "single images"
    looks = style.merging_looks(run.names, timed["merging"])
    sizes = {
        n: style.Look(size_name(n), style.GREY, _MARKERS[min(int(n), len(_MARKERS)) - 1])
        for n in sorted(timed["n_tasks"].unique())
    }
    runners = [rows[one] for one in zip(timed["threads"], timed["backend"], strict=True)]
    timed = named(run, timed).assign(
        x=1e-6 * timed["flops"],
        runner=pd.Categorical(runners, list(rows.values())),
        batch=timed["batch_size"].astype("category").cat.rename_categories(columns),
    )
    # In an order that depends on nothing, so that no merger hides the others.
    labels = ("computation of one image (MFLOPs)", "time of one pass (ms)")
    panels = facets(
        timed.sample(frac=1, random_state=0), "runner", "batch", (4.6, 2.9), labels, sharex=True
    )
    look = {"style": "n_tasks", "markers": {n: one.marker for n, one in sizes.items()}}
    look |= {"s": 7, "alpha": 0.35, "rasterized": True}
    for axes, points in panels:
        scatter(axes, points, "x", "median_ms", "merging", looks, **look)
        axes.set(xscale="log", yscale="log")
        _medians(axes, points, looks)
        # Half the FLOPs would take half the time.
        costly = points[points["x"] >= points["x"].quantile(0.95)]
        per_flop = (costly["median_ms"] / costly["x"]).median()
        ends = np.array(
            [max(points["x"].min(), points["median_ms"].min() / per_flop), points["x"].max()]
        )
        axes.plot(ends, per_flop * ends, ls=":", color=style.GREY, lw=1.0, zorder=3)
        log_axis(axes.xaxis)
        log_axis(axes.yaxis)
    # Colours alone: not every merger has a line.
    mergings = style.patches(look._replace(hatch="") for look in looks.values())
    return panels.with_legend(mergings + style.marks(sizes.values(), "none"))


def _medians(axes: Axes, points: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    """Draw medians in bins of equal width in the logarithm of FLOPs, of the fewest and most tasks.

    Lines have white edges, seen on marks of their own colour.
    """
    ends = {points["n_tasks"].min(): (3, 1), points["n_tasks"].max(): ""}
    bins = np.floor(_BINS_PER_DECADE * np.log10(points["flops"])).rename("bin")
    binned = points[points["n_tasks"].isin(ends)].groupby(["merging", "n_tasks", bins])
    middle = binned[["x", "median_ms"]].median()[binned.size() >= _LEAST].reset_index()
    look = {"style": "n_tasks", "dashes": ends, "linewidth": 1.6, "zorder": 4}
    look["path_effects"] = [Stroke(linewidth=3.0, foreground="white"), Normal()]
    lines(axes, middle, "x", "median_ms", "merging", looks, **look)
