"""Figure: test accuracy against computation, every measured network and the fitted frontiers."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pam.reporting.figures import style
from pam.reporting.names import (
    combination_name,
    order_combinations,
    order_mergings,
    order_prunings,
    pruning_name,
)
from pam.reporting.statistics.bootstrap import percentile_band, resample_counts
from pam.reporting.statistics.curves import pruned
from pam.reporting.statistics.frontier import fit_increasing
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.storage import read_table, select

SOURCES = ("measurements", "matched")
TITLE = "Accuracy against computation"
NOTE = (
    "faint: one network per seed and strength · line: monotone fit, band: its 95 % bootstrap "
    "interval over seeds · below the grey line: FLOPs at matched validation accuracy"
)

_FOCUS = 6
"""Percentage points, in units of delta, below single-task accuracy that a panel shows."""

_STRIP = 0.2
"""Share of a panel's height, at its bottom, that is kept for the matched FLOPs."""


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where nothing was measured.

    Columns are task combinations, rows pruning schemes. Faint markers are networks (one per seed
    and strength; of B1 the sum of networks of one strength), lines the monotone fit over them,
    bands its 95 % bootstrap interval over seeds.
    """
    measured = pruned(read_table(folder, "measurements"))
    measured = select(measured, experiment=experiment, status="ok")
    if measured.empty:
        return None
    matched = select(read_table(folder, "matched"), experiment=experiment, delta=DEFAULT_DELTA)
    prunings = order_prunings(measured["pruning"])
    combinations = _shown(order_combinations(measured["combination"]))
    mergings = order_mergings(measured["merging"])
    figure = style.new_figure(2.3 * len(combinations) + 0.8, 2.1 * len(prunings) + 0.9)
    panels = figure.subplots(len(prunings), len(combinations), squeeze=False, sharex="col")
    for row, pruning in zip(panels, prunings, strict=True):
        for axes, combination in zip(row, combinations, strict=True):
            where = {"pruning": pruning, "combination": combination}
            _panel(axes, select(measured, **where), select(matched, **where), mergings)
            if axes in panels[0]:
                axes.set_title(combination_name(combination))
            if axes in panels[-1]:
                axes.set_xlabel("computation (MFLOPs)")
        row[0].set_ylabel(f"{pruning_name(pruning)}\ntest accuracy (%)")
    handles = style.merging_handles(mergings)
    line = {"color": style.GREY, "lw": 1.0}
    handles.append(Line2D([], [], ls="--", **line, label=f"single-task − {DEFAULT_DELTA:g} point"))
    style.top_legend(figure, handles, columns=min(len(handles), 2 + 2 * len(combinations)))
    return figure


def _shown(combinations: list[str]) -> list[str]:
    """Return every combination of two tasks; of more, each task alone and all together."""
    if len(combinations) <= 3:
        return combinations
    return [name for name in combinations if "&" not in name] + combinations[-1:]


def _panel(axes: Axes, measured: pd.DataFrame, matched: pd.DataFrame, mergings: list[str]) -> None:
    styles = style.merging_styles(mergings)
    for merging in mergings:
        points = select(measured, merging=merging)
        if len(points):
            _frontier(axes, points, *styles[merging])
    single = 100 * measured["single_task_accuracy"].mean()
    axes.axhline(single - DEFAULT_DELTA, color=style.GREY, lw=1.0, ls="--", zorder=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    style.grid(axes, "both")
    _focus(axes, 100 * measured["accuracy"].to_numpy(), single)
    for index, merging in enumerate(mergings):
        height = _STRIP * (len(mergings) - index) / (len(mergings) + 1)
        _matched_mark(axes, select(matched, merging=merging), height, *styles[merging])


def _matched_mark(
    axes: Axes, matched: pd.DataFrame, height: float, colour: str, marker: str
) -> None:
    """Draw the matched FLOPs and their interval in the strip under the data."""
    transform = axes.get_xaxis_transform()
    for _, row in matched.dropna(subset="flops_mean").iterrows():
        mean, low, high = (1e-6 * row[f"flops_{part}"] for part in ("mean", "low", "high"))
        if np.isfinite(low):
            ends = [low, min(high, axes.get_xlim()[1])]
            axes.plot(ends, [height, height], color=colour, lw=1.0, transform=transform, zorder=6)
        look = {"color": colour, "ms": 3.8, "mec": "white", "mew": 0.4, "zorder": 7}
        axes.plot(mean, height, marker, transform=transform, **look)


def _frontier(axes: Axes, points: pd.DataFrame, colour: str, marker: str) -> None:
    """Draw networks, their monotone fit, and its bootstrap band."""
    x = np.log(points["flops"].to_numpy() / 1e6)
    y = 100 * points["accuracy"].to_numpy()
    axes.plot(np.exp(x), y, marker, color=colour, ms=3, alpha=0.35, mew=0, zorder=2)
    seeds = sorted(points["seed"].unique())
    counts = resample_counts([int(seed) for seed in seeds], "figure")
    weights = np.vstack([np.ones(len(seeds)), counts])[:, np.searchsorted(seeds, points["seed"])]
    fits = fit_increasing(x, y, weights)
    positions = np.linspace(x.min(), x.max(), 80)
    values = fits.on_grid(positions)
    axes.plot(np.exp(positions), values[0], color=colour, zorder=3)
    if len(seeds) > 1:
        low, high = percentile_band(values[1:])
        axes.fill_between(np.exp(positions), low, high, color=colour, alpha=0.1, lw=0, zorder=1)


def _focus(axes: Axes, accuracy: np.ndarray, single: float) -> None:
    """Show the region that matters, above a strip that is kept free of data.

    Networks that lost all accuracy would flatten the rest, so they fall below the panel.
    """
    floor = single - _FOCUS * DEFAULT_DELTA
    low = max(accuracy.min(), floor) if accuracy.max() > floor else accuracy.min()
    high = max(accuracy.max(), single)
    margin = 0.05 * (high - low)
    bottom, top = low - margin, high + margin
    axes.set_ylim(bottom - _STRIP * (top - bottom) / (1 - _STRIP), top)
    axes.set_yticks([tick for tick in axes.get_yticks() if bottom <= tick <= top])
    cover = {"transform": axes.transAxes, "facecolor": "white", "zorder": 4}
    axes.add_patch(Rectangle((0, 0), 1, _STRIP, **cover))
    for spine in axes.spines.values():
        spine.set_zorder(6)
    line = {"transform": axes.transAxes, "color": "#BBBBBB", "lw": 0.6, "zorder": 5}
    axes.plot([0, 1], [_STRIP, _STRIP], **line)
