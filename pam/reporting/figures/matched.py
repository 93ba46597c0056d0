"""Figure: computation of every task combination and merger at matched accuracy."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.names import (
    combination_name,
    order_combinations,
    order_mergings,
    order_prunings,
    pruning_name,
)
from pam.reporting.statistics.matched import BOUND, DEFAULT_DELTA
from pam.reporting.storage import read_table, select

SOURCES = ("matched",)
TITLE = "Computation at matched accuracy"
NOTE = (
    f"validation accuracy {DEFAULT_DELTA:g} percentage point below the single-task networks · "
    "whiskers: 95 % bootstrap interval over seeds · ≤ (or open): the cheapest network measured "
    "meets it · "
    "–: not reached"
)

_MOST_BARS = 60


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where no merger was compared.

    Bars start at zero, so their lengths compare; whiskers are 95 % intervals over seeds; a bar
    that is only an upper bound is marked, and a merger that does not reach the accuracy has a
    dash in place of its bar. Where bars would be too thin to see, marks take their place.
    """
    matched = select(read_table(folder, "matched"), experiment=experiment, delta=DEFAULT_DELTA)
    if matched.empty:
        return None
    prunings = order_prunings(matched["pruning"])
    combinations = order_combinations(matched["combination"])
    mergings = order_mergings(matched["merging"])
    n_bars = len(mergings) * len(combinations)
    marks = n_bars > _MOST_BARS
    width = (0.08 if marks else 0.4) * n_bars + 1.2
    figure = style.new_figure(max(width, 4.5), 2.2 * len(prunings) + 0.7)
    panels = figure.subplots(len(prunings), 1, squeeze=False, sharex=True)[:, 0]
    for axes, pruning in zip(panels, prunings, strict=True):
        rows = select(matched, pruning=pruning).set_index(["merging", "combination"])
        (_marks if marks else _bars)(axes, rows, mergings, combinations)
        axes.set_title(pruning_name(pruning))
        axes.set_ylabel("computation (MFLOPs)")
    if marks:
        panels[-1].set_xticks(range(len(combinations)), combinations, fontsize=6, rotation=90)
    else:
        titles = [combination_name(name) for name in combinations]
        panels[-1].set_xticks(range(len(combinations)), titles, fontsize=8)
    for axes in panels:
        axes.tick_params(axis="x", length=0)
    style.top_legend(figure, (style.merging_handles if marks else style.bar_handles)(mergings))
    return figure


def _bars(axes: Axes, rows: pd.DataFrame, mergings: list[str], combinations: list[str]) -> None:
    width = 0.82 / len(mergings)
    top = 1e-6 * np.nanmax(np.append(rows["flops_mean"], 0.0))
    labelled = len(mergings) * len(combinations) <= 40
    for index, (merging, (colour, _)) in enumerate(style.merging_styles(mergings).items()):
        for position, combination in enumerate(combinations):
            x = position + (index - (len(mergings) - 1) / 2) * width
            row = rows.loc[(merging, combination)] if (merging, combination) in rows.index else None
            if row is None or np.isnan(row["flops_mean"]):
                axes.annotate("–", (x, 0), ha="center", va="bottom", color="#333333", fontsize=11)
                continue
            mean, low, high = (1e-6 * row[f"flops_{part}"] for part in ("mean", "low", "high"))
            axes.bar(x, mean, 0.9 * width, **style.bar_style(merging, colour))
            end = _whisker(axes, x, mean, low, high, 1.6 * top)
            if labelled:
                text = f"{'≤' if row['status'] == BOUND else ''}{mean:#.3g}"
                axes.annotate(
                    text, (x, end), (0, 2), textcoords="offset points", ha="center", fontsize=6
                )
    axes.set_ylim(bottom=0)
    axes.margins(y=0.12)
    style.grid(axes)


def _marks(axes: Axes, rows: pd.DataFrame, mergings: list[str], combinations: list[str]) -> None:
    """Draw one mark per merger and combination, combinations apart from each other."""
    top = 1e-6 * np.nanmax(np.append(rows["flops_mean"], 0.0))
    place = {combination: position for position, combination in enumerate(combinations)}
    for index, (merging, (colour, marker)) in enumerate(style.merging_styles(mergings).items()):
        shift = 0.8 * ((index + 0.5) / len(mergings) - 0.5)
        own = rows[rows.index.get_level_values("merging") == merging]
        own = own.assign(x=own.index.get_level_values("combination").map(place) + shift)
        # Dashes stay inside the panel, so the layout need not ask where they end.
        dash = {"color": colour, "fontsize": 8, "in_layout": False}
        for x in own.loc[own["flops_mean"].isna(), "x"]:
            axes.annotate("–", (x, 0), ha="center", va="bottom", **dash)
        known = own.dropna(subset="flops_mean")
        if known.empty:
            continue
        high = np.minimum(1e-6 * known["flops_high"], 1.6 * top)
        axes.vlines(known["x"], 1e-6 * known["flops_low"], high, color=colour, lw=0.8)
        bound = known["status"] == BOUND
        for some, fill in ((known[~bound], colour), (known[bound], "white")):
            look = {"color": colour, "mfc": fill, "ms": 3, "mew": 0.7}
            axes.plot(some["x"], 1e-6 * some["flops_mean"], marker, **look)
    sizes = [name.count("&") for name in combinations]
    for position in range(1, len(combinations)):
        larger = sizes[position] > sizes[position - 1]
        line = {"color": "#999999" if larger else "#E8E8E8", "lw": 0.8 if larger else 0.5}
        axes.axvline(position - 0.5, zorder=0, **line)
    axes.set_xlim(-0.5, len(combinations) - 0.5)
    axes.set_ylim(bottom=0)
    style.grid(axes)


def _whisker(axes: Axes, x: float, mean: float, low: float, high: float, limit: float) -> float:
    """Draw an interval, cut off with an arrow where it is open above; return its upper end."""
    if np.isnan(low):
        return mean
    end = min(high, limit)
    # White under black: seen on light and on dark bars.
    axes.plot([x, x], [low, end], color="white", lw=2.4, solid_capstyle="butt")
    axes.plot([x, x], [low, end], color="#333333", lw=1.0, solid_capstyle="butt")
    if end < high:
        axes.plot(x, end, "^", color="#333333", ms=3)
    return end
