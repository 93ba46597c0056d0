"""Figure: computation of every task combination, by how many tasks run."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.names import order_mergings, order_prunings, pruning_name
from pam.reporting.statistics.matched import BOUND, DEFAULT_DELTA
from pam.reporting.storage import read_table, select

SOURCES = ("matched", "matched_sizes")
TITLE = "Computation by how many tasks run"
NOTE = (
    f"validation accuracy {DEFAULT_DELTA:g} percentage point below the single-task networks · "
    "dots: combinations · lines: mean over the combinations of so many tasks, whiskers: its 95 % "
    "bootstrap interval over seeds · open: only an upper bound"
)

_WIDTH = 0.78
"""Share of the space of one number of tasks that its marks take."""

_SPREAD = 0.14
"""The same of the dots of one merger."""


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where no merger was compared.

    One panel per pruning scheme: across, how many tasks run, up, FLOPs at matched accuracy.
    """
    matched = select(read_table(folder, "matched"), experiment=experiment, delta=DEFAULT_DELTA)
    sizes = select(read_table(folder, "matched_sizes"), experiment=experiment, delta=DEFAULT_DELTA)
    if sizes.empty:
        return None
    matched = matched.assign(n_tasks=matched["combination"].str.count("&") + 1)
    prunings, mergings = order_prunings(sizes["pruning"]), order_mergings(sizes["merging"])
    numbers = sorted(sizes["n_tasks"].unique())
    width = max(0.13 * len(mergings) * len(numbers) + 0.9, 3.2)
    figure = style.new_figure(width * len(prunings), 3.6)
    panels = figure.subplots(1, len(prunings), squeeze=False)[0]
    for axes, pruning in zip(panels, prunings, strict=True):
        for index, (merging, look) in enumerate(style.merging_styles(mergings).items()):
            shift = _WIDTH * ((index + 0.5) / len(mergings) - 0.5)
            where = {"pruning": pruning, "merging": merging}
            _merger(axes, select(matched, **where), select(sizes, **where), shift, *look)
        if select(sizes, pruning=pruning)["flops_mean"].isna().all():
            style.say_empty(axes, f"no merger comes within\n{DEFAULT_DELTA:g} percentage point")
        axes.set_title(pruning_name(pruning))
        axes.set_xlabel("tasks that run")
        axes.set_xticks(numbers, [f"{number:.0f}" for number in numbers])
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
        axes.set_ylim(bottom=0)
        for number in numbers[1:]:
            axes.axvline(number - 0.5, color="#DDDDDD", lw=0.6, zorder=0)
        style.grid(axes)
    panels[0].set_ylabel("computation (MFLOPs)")
    style.top_legend(figure, style.merging_handles(mergings), columns=_columns(mergings))
    return figure


def _columns(mergings: list[str]) -> int:
    """Return in how many columns the legend stands: one row where it fits."""
    return len(mergings) if len(mergings) <= 5 else (len(mergings) + 1) // 2


def _beside(matched: pd.DataFrame) -> pd.Series:
    """Return where combinations stand across: those of as many tasks side by side."""
    groups = matched.groupby("n_tasks")["combination"]
    place = (groups.rank() - 0.5) / groups.transform("size") - 0.5
    return matched["n_tasks"] + _SPREAD * place


def _merger(
    axes: Axes, matched: pd.DataFrame, sizes: pd.DataFrame, shift: float, colour: str, marker: str
) -> None:
    """Draw one merger: a faint dot per combination, mean and interval per number of tasks."""
    dots = {"color": colour, "ms": 2.6, "alpha": 0.45, "mew": 0, "zorder": 2}
    axes.plot(_beside(matched) + shift, 1e-6 * matched["flops_mean"], "o", **dots)
    means = sizes.dropna(subset="flops_mean").sort_values("n_tasks")
    x, y = means["n_tasks"] + shift, 1e-6 * means["flops_mean"]
    axes.plot(x, y, color=colour, lw=1.2, zorder=3)
    bound = (means["status"] == BOUND).to_numpy()
    for chosen, fill in ((~bound, colour), (bound, "white")):
        look = {"color": colour, "mfc": fill, "ms": 4.6, "mew": 0.9, "ls": "none", "zorder": 5}
        axes.plot(x[chosen], y[chosen], marker=marker, **look)
    known = means.dropna(subset="flops_low")
    high = np.minimum(known["flops_high"], 1.6 * known["flops_mean"])
    axes.vlines(
        known["n_tasks"] + shift, 1e-6 * known["flops_low"], 1e-6 * high, color=colour, lw=1.0
    )
    cut = known[known["flops_high"] > high]
    axes.plot(cut["n_tasks"] + shift, 1.6e-6 * cut["flops_mean"], "^", color=colour, ms=2.5)
