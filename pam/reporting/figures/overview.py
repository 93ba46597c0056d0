"""Figure of several runs: what any request costs of separate networks, in every setting."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pam.errors import ConfigError, DataError
from pam.registry import MERGER
from pam.reporting.figures import style
from pam.reporting.figures.panels import beside, forest, log_axis
from pam.reporting.names import Names
from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA, REFERENCES
from pam.reporting.statistics.settings import any_requests, methods

SOURCES = ("requests", "measurements")
TITLE = "Does merging pay, whatever is asked for?"
NOTE = (
    "left of the line: cheaper than separate networks (B1) at the same accuracy "
    f"({DEFAULT_DELTA:g} point lost on validation data), mean over all combinations of tasks · "
    "bars: 95 % interval over seeds · hollow: only a bound, from above or below as in the "
    "tables · no mark: not run, or a seed never comes that close"
)

_WIDTH, _LINE = 4.6, 0.3
"""Inches of a panel, and of a line of it."""


def render(runs: Sequence[Run], path: str | Path) -> None:
    """Draw the figure into a PNG; the same CSV files give the same bytes.

    Raises:
        ConfigError: if the path does not end with ``.png``.
        DataError: if a CSV file is missing or damaged, or no setting has a ratio.
    """
    if (stem := Path(path)).suffix != ".png":
        raise ConfigError(f"{path}: the picture is a PNG file; give it a name that ends with .png")
    ratios = any_requests(runs)
    if ratios.empty:
        raise DataError("no run has a merger that comes within delta as B1 does: nothing to draw")
    hashes = {run.profile: style.source_hash(run.folder, SOURCES) for run in runs}
    digest = hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:10]
    seeds = " to ".join(dict.fromkeys(f"{end(ratios['n']):.0f}" for end in (min, max)))
    made_from = f"{', '.join(hashes)} · seeds: n = {seeds} · csv sha256\N{NO-BREAK SPACE}{digest}"
    with style.house_style():
        figure = _draw(ratios)
        style.entitle(figure, TITLE, "each combination of tasks equally likely")
        style.stamp(figure, NOTE, *Names().citations({MERGER: ratios["method"]}), made_from)
        origin = {"figure": "overview", "runs": hashes}
        style.save(figure, stem.with_suffix(""), origin, ["png"])


def _draw(ratios: pd.DataFrame) -> Figure:
    """Return at most two panels of settings, one under the other, under names of groups."""
    *mergings, learned = methods()
    every = style.merging_looks(Names(), [*mergings, *REFERENCES])
    spare = next(style.spare_looks(every.values()))._replace(label=methods()[learned])
    looks = {name: every.get(name, spare) for name in methods().values()}
    ratios = ratios.assign(merging=ratios["method"].map(methods()))
    columns = _halves(ratios)
    longest = max(map(_lines, columns))
    figure = style.new_figure(len(columns) * _WIDTH, _LINE * longest + 1.3)
    grid = figure.subplots(1, len(columns), sharex=True, squeeze=False)
    for axes, rows in zip(grid[0], columns, strict=True):
        _panel(axes, rows, looks, longest)
    style.top_legend(figure, style.marks(looks.values(), "none"))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, looks: dict[str, style.Look], lines: int) -> None:
    """Draw settings from top to bottom; the name of a group is a line of its own."""
    labels: list[str] = []
    places: dict[tuple[str, str], int] = {}
    for group, own in rows.groupby("group", sort=False):
        labels.append(group)
        for place in own["place"].unique():
            places[group, place] = len(labels)
            labels.append(place)
    keys = zip(rows["group"], rows["place"], strict=True)
    at = pd.Series([places[key] for key in keys], rows.index)
    rows = rows.assign(y=at + beside(rows["merging"], list(looks), 0.7))
    forest(axes, rows, looks)
    axes.set_xscale("log")
    log_axis(axes.xaxis)
    axes.set(xlabel="FLOPs of any request / B1", ylabel="", ylim=(lines - 0.4, -0.6))
    axes.set_yticks([*places.values()], [place for _, place in places])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    left = {"xycoords": ("axes fraction", "data"), "ha": "left", "va": "center"}
    for index, label in enumerate(labels):
        if index not in places.values():
            text = axes.annotate(label, (0.0, index), fontsize=6, weight="bold", **left)
            text.set_in_layout(False)  # A long name is no reason to make the panel narrower.
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})


def _lines(rows: pd.DataFrame) -> int:
    return rows["group"].nunique() + len(rows[["group", "place"]].drop_duplicates())


def _halves(ratios: pd.DataFrame) -> Sequence[pd.DataFrame]:
    """Return the settings in two parts of about as many lines, no group in both."""
    groups = list(ratios["group"].unique())
    parts = [
        (ratios[ratios["group"].isin(groups[:n])], ratios[ratios["group"].isin(groups[n:])])
        for n in range(1, len(groups) + 1)
    ]
    halves = min(parts, key=lambda both: np.ptp([_lines(rows) for rows in both]))
    return [rows for rows in halves if len(rows)]
