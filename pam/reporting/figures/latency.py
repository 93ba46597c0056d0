"""Figure: measured time of every sub-network against its FLOPs."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from pam.reporting.figures import style
from pam.reporting.figures.panels import (
    facets,
    log_axis,
    marked_lines,
    merging_looks,
    named,
    scatter,
)
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
    "faint: sub-networks of the fewest tasks and of all, one per combination, seed, strength and "
    "pruning; median over rounds of one forward pass · lines: median of at least four sub-networks "
    "of similar FLOPs · dotted: time in proportion to FLOPs, through the most costly ones"
)

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
    """Return a panel per threads, backend, number of tasks and batch size; None without timings."""
    timed = timed_networks(run, experiment)
    if timed.empty:
        return None
    looks = merging_looks(run, experiment, timed["merging"])
    timed = _placed(run, timed)
    # In an order that depends on nothing, so that no merger hides the others.
    timed = timed.sample(frac=1, random_state=0)
    labels = ("computation of one image (MFLOPs)", "time of one pass (ms)")
    panels = facets(timed, "row", "batch", (4.0, 2.2), labels, sharex=True, sharey="col")
    faint = {"s": 8, "alpha": 0.35, "rasterized": True}
    for axes, points in panels:
        scatter(axes, points, "x", "median_ms", "merging", looks, **faint)
        axes.set(xscale="log", yscale="log")
        _medians(axes, points, looks)
        # Half the FLOPs would take half the time.
        costly = points[points["x"] >= points["x"].quantile(0.95)]
        per_flop = (costly["median_ms"] / costly["x"]).median()
        shortest = max(points["x"].min(), points["median_ms"].min() / per_flop)
        line = np.array([shortest, points["x"].max()])
        axes.plot(line, per_flop * line, ls=":", color=style.GREY, lw=1.0, zorder=3)
        log_axis(axes.xaxis)
        log_axis(axes.yaxis)
    return panels.with_legend(style.marks(looks.values()))


def _placed(run: Run, timed: pd.DataFrame) -> pd.DataFrame:
    """Return the networks of the fewest tasks and of all, with their ``row``, ``batch`` and ``x``.

    Rows are named by what differs, columns of panels by the batch.
    """
    ends = timed["n_tasks"].agg(["min", "max"])
    timed = timed[timed["n_tasks"].isin(ends)]
    several = {name: timed[name].nunique() > 1 for name in ("threads", "backend")}
    runners, columns = {}, {}
    for threads, backend, batch in order_settings(timed):
        words = [f"{threads:.0f} thread{'s' * (threads > 1)}"] * several["threads"]
        words += [backend_name(backend)] * several["backend"]
        runners[threads, backend] = words
        columns[batch] = f"batch of {batch:.0f}" if batch > 1 else "single images"
    rows = {
        (*runner, n): ", ".join([*words, size_name(n)])
        for runner, words in runners.items()
        for n in dict.fromkeys(ends)
    }
    keys = zip(timed["threads"], timed["backend"], timed["n_tasks"], strict=True)
    return named(run, timed).assign(
        x=1e-6 * timed["flops"],
        row=pd.Categorical([rows[key] for key in keys], list(rows.values())),
        batch=timed["batch_size"].astype("category").cat.rename_categories(columns),
    )


def _medians(axes: Axes, points: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    """Draw medians in bins of equal width in the logarithm of FLOPs.

    Lines have white edges, seen on marks of their own colour.
    """
    bins = np.floor(_BINS_PER_DECADE * np.log10(points["flops"])).rename("bin")
    binned = points.groupby(["merging", bins], observed=True)
    middle = binned[["x", "median_ms"]].median()[binned.size() >= _LEAST].reset_index()
    look = {"linewidth": 1.6, "zorder": 4}
    look["path_effects"] = [Stroke(linewidth=3.0, foreground="white"), Normal()]
    marked_lines(axes, middle, "x", "median_ms", "merging", looks, **look)
