"""Figure: what every merger costs of B1 and of B2 at matched accuracy, with intervals."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pam.reporting.figures import style
from pam.reporting.figures.panels import beside, facets, forest, log_axis, merging_looks, named
from pam.reporting.names import ANY_REQUEST, order_combinations
from pam.reporting.published import reported_ratios
from pam.reporting.run import Run
from pam.reporting.statistics.matched import BOUND, DEFAULT_DELTA, REFERENCES
from pam.reporting.statistics.pruning_path import MEAN
from pam.reporting.storage import select
from pam.reporting.tables.comparison import AXES, expected_costs

SOURCES = ("matched", "requests", "measurements")
TITLE = "What does each merger cost, against B1 and B2?"
NOTE = (
    "left of the line: cheaper than the baseline at the same accuracy "
    f"({DEFAULT_DELTA:g} point lost on validation data) · bars: 95 % interval, of two seeds their "
    "range; one that meets the edge goes on · hollow: only a bound, from above or below as in the "
    "tables · no mark: not run, or a seed never comes that close · any request: mean over "
    "all combinations"
)

_WIDTH = 3.0
_NOTHING = (
    "no ratio: no such baseline here, or a seed of it,\nor of every merger, never comes that close"
)


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a row of forest plots per pruning scheme; None where no merger was compared."""
    ratios = _ratios(run, experiment)
    if ratios.empty:
        return None
    looks = merging_looks(run, experiment, ratios["merging"])
    places = {name: -place for place, name in enumerate(order_combinations(ratios["combination"]))}
    y = ratios["combination"].map(places)
    ratios = named(run, ratios)
    heights = []
    for _, rows in ratios.groupby("pruning", observed=True):
        shown = [name for name in looks if name in set(rows["merging"])]
        ratios.loc[rows.index, "y"] = y[rows.index] - beside(rows["merging"], shown)
        heights.append(max(0.1 * len(shown), 0.3) * len(places) + 0.6)
    # As many inches as the marks want, but all rows of panels on one page.
    size = (_WIDTH, min(sum(heights), 12) / len(heights))
    labels = ("ratio of FLOPs", "")
    panels = facets(ratios, "pruning", "against", size, labels, _NOTHING, height_ratios=heights)
    for axes, rows in panels:
        forest(axes, rows, looks)
        axes.scatter(
            rows["paper"], rows["y"], 34, "none", "*", edgecolors="black", lw=0.7, zorder=6
        )
        axes.set_xscale("log")
        axes.set_xlim(*_limits(ratios))
        log_axis(axes.xaxis)
        axes.set_yticks(list(places.values()), list(places))
        axes.set_ylim(min(places.values()) - 0.5, 0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
        for place in list(places.values())[:-1]:
            axes.axhline(place - 0.5, color="#DDDDDD", lw=0.6, zorder=0)
    handles = style.marks(looks.values(), "none")
    if ratios["paper"].notna().any():
        star = {"ls": "none", "marker": "*", "ms": 6, "mfc": "none", "mec": "black"}
        handles.append(Line2D([], [], label="PAM in the paper", **star))
    return panels.with_legend(handles)


def _limits(ratios: pd.DataFrame) -> tuple[float, float]:
    """Return limits that hold all marks, and whiskers up to a factor of 3 beyond them."""
    marks = ratios[["mean", "paper"]].to_numpy()
    low, high = min(0.5, np.nanmin(marks)), max(2.0, np.nanmax(marks))
    ends = (max(low / 3, ratios["low"].min()), min(3 * high, ratios["high"].max()))
    return 0.9 * np.nanmin([low, ends[0]]), 1.1 * np.nanmax([high, ends[1]])


def _ratios(run: Run, experiment: str) -> pd.DataFrame:
    """Return the ratios to both baselines, of more than two tasks by how many run.

    The columns are the axes, ``against``, ``mean``, ``low``, ``high``, ``paper`` and ``bound``.
    """
    where = {"experiment": experiment, "requirement": MEAN, "delta": DEFAULT_DELTA}
    matched, rows = run.rows("matched", **where), expected_costs(run, **where)
    if matched["combination"].nunique() <= 3:
        rows = pd.concat([matched, select(rows, combination=ANY_REQUEST)])
    prunings = rows["pruning"].unique()
    beside_of = rows["pruning"].map(lambda row: run.names.beside(row, prunings))
    places = [*rows[AXES].itertuples(index=False, name=None)]
    bounded = {*rows.loc[rows["status"] == BOUND, AXES].itertuples(index=False, name=None)}
    printed = reported_ratios(*run.setting(experiment))
    every = []
    for reference in REFERENCES:
        ends = {part: f"flops_vs_{reference}_{part}" for part in ("mean", "low", "high")}
        found = rows[AXES].assign(**{part: rows[name] for part, name in ends.items()})
        found["against"] = f"against {run.names.merging(reference)}"
        found["paper"] = [
            printed.get((reference, pruning, tasks), np.nan) if merging == "pam" else np.nan
            for pruning, tasks, merging in places
        ]
        found["bound"] = [
            place in bounded or (base, place[1], reference) in bounded
            for place, base in zip(places, beside_of, strict=True)
        ]
        found.loc[found["bound"], ["low", "high"]] = np.nan
        itself = (found["merging"] == reference) & (found["pruning"] == beside_of)
        every.append(found[~itself].dropna(subset="mean"))
    return pd.concat(every, ignore_index=True)
