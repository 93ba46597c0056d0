"""Figure: when merging pays: cost against labels in common, number of tasks, or width."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.figures.panels import (
    beside,
    facets,
    hollow,
    levels,
    log_axis,
    marked_lines,
    merging_looks,
    named,
)
from pam.reporting.run import Run
from pam.reporting.statistics.matched import BOUND, DEFAULT_DELTA
from pam.reporting.statistics.paths import MEAN

SOURCES = ("requests", "measurements")
TITLE = "When does merging pay?"
NOTE = (
    f"lower is cheaper, at the same accuracy ({DEFAULT_DELTA:g} point lost on validation data) · "
    "experiments that differ in one thing alone · bars: 95 % interval over seeds, of two seeds "
    "their range · hollow: only a bound · no mark: a seed never comes that close"
)

_REQUESTS = ("one task", "any request", "all tasks")
_LEAST = 3
"""Experiments that make a sweep."""

Section = Mapping[str, Any]
"""An experiment as the manifest's configuration has it."""


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a row of panels per sweep; None unless it is the first experiment of one."""
    rows = _rows(run)
    if rows.empty or experiment != min(rows["experiment"]):
        return None
    others = rows.loc[~rows["own"], ["merging", "pruning"]].drop_duplicates().to_numpy()
    looks = merging_looks(run, experiment, rows["merging"])
    for merging, pruning in others:
        name = run.names.merging(merging)
        looks[name] = looks[name]._replace(label=f"{name}, {run.names.pruning(pruning)}")
    rows = named(run, rows)
    width = rows.groupby("sweep")["x"].transform(np.ptp)
    rows["at"] = rows["x"] + width * beside(rows["merging"], list(looks), 0.06)
    rows["request"] = pd.Categorical(rows["request"], _REQUESTS)
    for part in ("mean", "low", "high"):
        rows[part] = 1e-6 * rows[f"flops_{part}"]
    rows.loc[rows["status"] == BOUND, ["low", "high"]] = np.nan
    size, labels = (2.2, 2.0), ("", "computation (MFLOPs)")
    panels = facets(rows, "sweep", "request", size, labels, sharex="row", sharey="row")
    for axes, points in panels:
        colours = [looks[name].colour for name in points["merging"]]
        axes.vlines(points["at"], points["low"], points["high"], colours, lw=1.0)
        lined = points.drop(columns=["low", "high"])
        marked_lines(axes, lined, "at", "mean", "merging", looks)
        bounds = points[points["status"] == BOUND]
        hollow(axes, bounds, "at", "mean", looks, 16)
        axes.set_yscale("log")
        log_axis(axes.yaxis)
        axes.set_xticks(sorted(points["x"].unique()))
        axes.margins(x=0.1)
    for row, sweep in zip(panels.grid, levels(rows["sweep"]), strict=True):
        row[0].set_ylabel(labels[1])
        for axes in row:
            axes.set_xlabel(sweep)
    return panels.with_legend(style.marks(looks.values()))


def _rows(run: Run) -> pd.DataFrame:
    """Return the rows of ``requests.csv`` of all sweeps, with ``sweep``, ``x`` and ``request``.

    Of the pruner of the baselines; a merging that it did not prune is shown with the pruner that
    did, such as groups learned while pruning.
    """
    every = run.rows("requests", requirement=MEAN, delta=DEFAULT_DELTA).dropna(subset="flops_mean")
    prunings = every["pruning"].unique()
    beside = [run.names.beside(name, prunings) for name in every["pruning"]]
    first = run.names.order_prunings(beside)[:1]
    every = every.assign(own=every["pruning"] == beside)[np.isin(beside, first)]
    cell = ["experiment", "merging", "n_tasks"]
    every = every.sort_values("own", ascending=False).drop_duplicates(cell)
    most = every.groupby("experiment")["n_tasks"].transform("max")
    asked = [every["n_tasks"] == 1, every["n_tasks"].isna(), every["n_tasks"] == most]
    every = every.assign(request=np.select(asked, _REQUESTS, ""))
    every = every[every["request"] != ""]
    parts = [
        every[every["experiment"].isin(list(places))].assign(
            sweep=label, x=lambda rows, places=places: rows["experiment"].map(places)
        )
        for label, places in _sweeps(run).items()
    ]
    return pd.concat(parts) if parts else every[:0]


def _sweeps(run: Run) -> dict[str, dict[str, float]]:
    """Return what varies -> experiment -> its value, where experiments are alike but for it."""
    config = run.manifest.config.get("experiments", {}) if run.is_aggregated else {}
    sweeps: dict[str, dict[str, float]] = {}
    for label, (value, without) in _AXES.items():
        alike: dict[str, dict[str, float]] = {}
        for name, section in config.items():
            if value(section) is not None:
                rest = json.dumps(without(section), sort_keys=True)
                alike.setdefault(rest, {})[name] = value(section)
        places = max(alike.values(), key=lambda one: len({*one.values()}), default={})
        if len({*places.values()}) >= _LEAST:
            sweeps[label] = places
    return sweeps


def _overlap(section: Section) -> float | None:
    share = section["data"].get("overlap")
    return None if share is None else 100 * share


def _width(section: Section) -> float | None:
    return (section.get("network") or {}).get("widths", [None])[0]


def _without_data(key: str) -> Callable[[Section], Section]:
    def rest(section: Section) -> Section:
        data = {name: value for name, value in section["data"].items() if name != key}
        return {**section, "data": data, "tasks": None if key == "tasks" else section["tasks"]}

    return rest


_AXES: dict[str, tuple[Callable[[Section], float | None], Callable[[Section], Section]]] = {
    "labels in common (%)": (_overlap, _without_data("overlap")),
    "tasks": (lambda section: len(section["tasks"]), _without_data("tasks")),
    "units of the first layer": (_width, lambda section: {**section, "network": None}),
}
