"""Panels of a figure: one per value of two columns, and what several figures draw in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from pam.reporting.figures import style
from pam.reporting.figures.style import Look, new_figure, top_legend
from pam.reporting.names import combination_name, order_combinations
from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.matched import BOUND
from pam.reporting.storage import select

_MOST_PLACES = 6


def named(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with display names of methods, combinations and layers, as ordered categories.

    The order is that of tables; the empty name, of what is not yet merged or pruned, comes first.
    """
    names = run.names
    columns = {
        "pruning": (names.order_prunings, names.pruning),
        "merging": (names.order_mergings, names.merging),
        "combination": (order_combinations, combination_name),
        "layer": (lambda layers: sorted(set(layers), key=natural_key), str),
    }
    categories = {}
    for column in columns.keys() & {*rows}:
        order, name = columns[column]
        values = sorted(order(rows[column].unique()), key=bool)
        labels = {value: value and name(value) for value in values}
        known = list(dict.fromkeys(labels.values()))
        categories[column] = pd.Categorical(rows[column].map(labels), known)
    return rows.assign(**categories)


def merging_looks(run: Run, experiment: str, shown: Iterable[str]) -> dict[str, Look]:
    """Return display name -> look of the mergings that are shown, the same in all its figures."""
    shown = set(shown)
    every = run.rows("measurements", experiment=experiment)["merging"]
    looks = style.merging_looks(run.names, {*every, *shown})
    return {name: looks[name] for name in map(run.names.merging, run.names.order_mergings(shown))}


def with_place(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return named rows of the first six combinations of some columns, named in ``place``."""
    rows = rows.sort_values(list(columns), kind="stable")
    place = rows[columns[0]].astype(str).str.cat(rows[list(columns[1:])].astype(str), sep=", ")
    first = place.unique()[:_MOST_PLACES]
    return rows.assign(place=pd.Categorical(place, first)).dropna(subset="place")


@dataclass(frozen=True)
class Facets:
    """A figure of panels, labelled at its edges; iterate over it to draw each panel's rows.

    Attributes:
        figure: the figure.
        grid: (rows, columns) array of its panels.
        panels: every panel that has data, with its rows of the data and its two labels.
    """

    figure: Figure
    grid: NDArray[np.object_]
    panels: Sequence[tuple[Axes, pd.DataFrame, str, str]]

    def __iter__(self) -> Iterator[tuple[Axes, pd.DataFrame]]:
        for axes, cells, x, y in self.panels:
            # Where there is no label, seaborn writes the name of the column.
            axes.set(xlabel=" ", ylabel=" ")
            yield axes, cells
            axes.set(xlabel=x, ylabel=y)

    def with_legend(self, handles: Sequence[Artist]) -> Figure:
        """Return the figure with a legend above its panels."""
        top_legend(self.figure, handles)
        return self.figure


def facets(
    data: pd.DataFrame,
    rows: str | None,
    columns: str | None,
    size: tuple[float, float],
    labels: tuple[str, str],
    nothing: str = "",
    **subplots: object,
) -> Facets:
    """Return the panels of a figure, a row and a column per value.

    Args:
        data: what is drawn.
        rows: name of a column with values that have a row each, named left of it; None for one row.
        columns: the same of columns, named above them.
        size: width and height of a panel, in inches.
        labels: what stands below the lowest panels, and left of those in the first column.
        nothing: what stands in the place of a panel without data.
        subplots: further arguments of :meth:`matplotlib.figure.Figure.subplots`.
    """
    down, across = (levels(data[name]) if name else [""] for name in (rows, columns))
    figure = new_figure(len(across) * size[0] + 0.9, len(down) * size[1] + 0.9)
    grid = figure.subplots(len(down), len(across), squeeze=False, **subplots)
    panels, lowest = [], {}
    for (i, row), (j, column) in product(enumerate(down), enumerate(across)):
        axes, where = grid[i, j], {rows: row, columns: column}
        cells = select(data, **{name: value for name, value in where.items() if name})
        axes.set_title("" if i else column)
        left = "" if j else "\n".join(label for label in (row, labels[1]) if label)
        if cells.empty:
            _blank(axes, row if left else "", nothing)
        else:
            lowest[j] = axes
            panels.append((axes, cells, left))
    labelled = [
        (axes, cells, labels[0] if axes in lowest.values() else "", left)
        for axes, cells, left in panels
    ]
    return Facets(figure, grid, labelled)


def _blank(axes: Axes, left: str, text: str) -> None:
    """Leave nothing of a panel but its labels and a text in the middle."""
    axes.spines[:].set_visible(False)
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    axes.grid(False)
    axes.set_ylabel(left)
    middle = {"xycoords": "axes fraction", "ha": "center", "va": "center"}
    axes.annotate(text, (0.5, 0.5), color=style.GREY, fontsize=7, **middle)


def twins(rows: pd.DataFrame, column: str) -> dict[str, str]:
    """Return value of a column -> what to call it, of values whose rows are not those of another.

    The first of several with the same rows stands for them, under the names of all.
    """
    same: dict[str, list[str]] = {}
    for name in levels(rows[column]):
        own = rows[rows[column] == name].drop(columns=column)
        same.setdefault(own.to_csv(index=False), []).append(name)
    return {names[0]: ", ".join(names) for names in same.values()}


def levels(values: pd.Series) -> list[Any]:
    """Return the different values of a column, in the order of its categories if it has any."""
    return list(values.astype("category").cat.remove_unused_categories().cat.categories)


def scatter(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, column: str, looks: Mapping, **look: object
) -> None:
    """Draw a mark per row, with the colour and the marker of its value of a column."""
    if len(rows):
        arguments = {"linewidth": 0} | _colours(column, looks) | _markers(column, looks) | look
        sns.scatterplot(rows, x=x, y=y, ax=axes, **arguments)


def marked_lines(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, column: str, looks: Mapping, **look: object
) -> None:
    """Draw a line per value of a column, with a marker at every mean."""
    if len(rows):
        points = {"dashes": False, "markersize": 4, "mew": 0.4, "estimator": None, "ax": axes}
        points |= _colours(column, looks) | _markers(column, looks) | look
        sns.lineplot(rows, x=x, y=y, **points)


def hollow(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, looks: Mapping[str, Look], size: float
) -> None:
    """Draw marks of mergings without filling, over those that are drawn of all."""
    for name, cells in rows.groupby("merging", observed=True):
        look = {"marker": looks[name].marker, "edgecolors": looks[name].colour, "linewidths": 1.0}
        axes.scatter(cells[x], cells[y], size, "white", zorder=5, **look)


def in_mflops(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with ``mean, low, high`` of their FLOPs in millions; a bound has no interval."""
    rows = rows.assign(**{part: 1e-6 * rows[f"flops_{part}"] for part in ("mean", "low", "high")})
    rows.loc[rows["status"] == BOUND, ["low", "high"]] = np.nan
    return rows


def cost_lines(axes: Axes, rows: pd.DataFrame, x: str, looks: Mapping[str, Look]) -> None:
    """Draw rows of :func:`in_mflops`: a line per merging, intervals, and hollow marks of bounds."""
    colours = [looks[name].colour for name in rows["merging"]]
    axes.vlines(rows[x], rows["low"], rows["high"], colours, lw=1.0)
    marked_lines(axes, rows, x, "mean", "merging", looks)
    hollow(axes, select(rows, status=BOUND), x, "mean", looks, 16)
    axes.set_yscale("log")
    log_axis(axes.yaxis)


def forest(axes: Axes, rows: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw ratios around a line at 1: a mark of its merging per row, and its interval.

    Rows have ``mean``, ``low``, ``high``, ``y``, ``merging``, and ``bound``, where the mark is
    hollow and has no interval.
    """
    axes.axvline(1, color=style.GREY, lw=0.8, zorder=1)
    sure = rows[~rows["bound"]]
    colours = [looks[name].colour for name in sure["merging"]]
    axes.hlines(sure["y"], sure["low"], sure["high"], colours, lw=1.1)
    scatter(axes, rows, "mean", "y", "merging", looks, s=20, zorder=4, linewidth=0.3)
    hollow(axes, rows[rows["bound"]], "mean", "y", looks, 20)


def _colours(column: str, looks: Mapping[str, Look]) -> dict[str, object]:
    palette = {name: look.colour for name, look in looks.items()}
    return {"hue": column, "hue_order": list(looks), "palette": palette, "legend": False}


def _markers(column: str, looks: Mapping[str, Look]) -> dict[str, object]:
    return {"style": column, "markers": {name: look.marker for name, look in looks.items()}}


def stacked_bars(
    axes: Axes, rows: pd.DataFrame, y: str, length: str, column: str, looks: Mapping[str, Look]
) -> None:
    """Draw a bar per category of ``y``, from left to right in hatched pieces, one per look.

    Pieces are told apart by their values of ``column``; rows of the same piece add up.
    """
    pieces = rows.pivot_table(length, y, column, "sum", fill_value=0, observed=False)
    places, left = np.arange(len(pieces)), np.zeros(len(pieces))
    for name in (name for name in looks if name in pieces):
        piece, look = pieces[name].to_numpy(), looks[name]
        bars = {"color": look.colour, "hatch": look.hatch, "edgecolor": "white", "linewidth": 0}
        seen = piece > 0
        axes.barh(places[seen], piece[seen], 0.8, left[seen], **bars)
        left += piece
    axes.set_yticks(places, pieces.index)
    axes.set_ylim(len(pieces) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")


def beside(column: pd.Series, names: Sequence[str], width: float = 0.82) -> pd.Series:
    """Return how far from the middle of a place each of several marks stands side by side."""
    n = len(names)
    shift = {name: width * ((index + 0.5) / n - 0.5) for index, name in enumerate(names)}
    return column.astype(str).map(shift)


def spread(rows: pd.DataFrame, most: int = 8) -> pd.DataFrame:
    """Return the rows of at most so many layers, evenly spread, the first and the last included."""
    layers = levels(rows["layer"])
    if len(layers) > most:
        layers = [layers[round(i * (len(layers) - 1) / (most - 1))] for i in range(most)]
    return rows[rows["layer"].isin(layers)]


def log_axis(axis: Axis) -> None:
    """Number a logarithmic axis at 1, 2, 5, 10, or at 1, 3, 10 where those would touch."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 80 * low else (1.0, 3.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())
