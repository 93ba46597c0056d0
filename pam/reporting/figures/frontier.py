"""Figure: loss of accuracy against computation, the fits of every seed and what is read of them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from pam.reporting.figures import style
from pam.reporting.figures.panels import facets, hollow, log_axis, merging_looks, named, scatter
from pam.reporting.names import order_combinations
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import Array
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK
from pam.reporting.statistics.matched_cost import read_levels
from pam.reporting.statistics.points import WIDE, Networks, gap_of, pruned_networks
from pam.reporting.statistics.pruning_path import MEAN, Path
from pam.reporting.storage import select

SOURCES = ("measurements", "accuracies", "groups", "matched")
TITLE = "How much accuracy is lost for how much less computation?"
NOTE = (
    "further left is cheaper, higher is more accurate · thin: monotone fit of one seed, where "
    "they are few · thick: geometric mean of the seeds' costs, where all have one · marks on the "
    "dashed line: what is read of each, large: as in the tables · faint: networks as measured, if "
    "all tasks that run share one network · hollow, without a line: read between a network of "
    "more than twice the cost and one that has lost more than 4 points · rows that always lose "
    "more are left out"
)

_COLUMNS = ["pruning", "merging", "combination", "kind", "seed", "x", "y"]
_NETWORK, _SEED, _MEAN = "network", "seed", "mean"
_LEVELS = np.linspace(-1.0, 4.0, 101)
"""Percentage points lost, at which the curves are drawn."""

_MOST_CURVES = 20
"""Fits of single seeds in a panel: more of them hide everything else."""


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel per pruning scheme and combination; None where nothing was pruned."""
    compared = pruned_networks(run, experiment=experiment)
    rows = pd.DataFrame(chain.from_iterable(map(_rows, compared)), columns=_COLUMNS)
    matched = run.rows("matched", experiment=experiment, requirement=MEAN, delta=DEFAULT_DELTA)
    marks = select(matched, status=OK).assign(y=DEFAULT_DELTA)
    # Beside curves, panels of networks that all lose more, but for a stray one, show nothing.
    curves = rows["x"].where(rows["kind"] != _NETWORK).groupby(rows["pruning"]).transform("count")
    read = (curves > 0) | rows["pruning"].isin(marks["pruning"])
    rows = rows[read | ~read.any()]
    rows = rows[rows.groupby(["pruning", "combination"])["x"].transform("count") > 0]
    if rows.empty:
        return None
    marks["x"] = 1e-6 * marks["flops_mean"]
    # A cost that is read in a gap has a mark, even where no network of the path is in sight.
    shown = {*rows["merging"][rows["x"].notna()], *marks["merging"]}
    rows, looks = rows[rows["merging"].isin(shown)], merging_looks(run, experiment, shown)
    rows, marks = named(run, rows), named(run, marks)
    labels = ("computation (MFLOPs)", "validation accuracy\nlost (points)")
    size = (2.3, 1.9)
    panels = facets(rows, "pruning", "combination", size, labels, sharex="col", sharey=True)
    lined = set(rows["merging"][rows["x"].notna() & (rows["kind"] == _MEAN)])
    for axes, points in panels:
        place = {name: points[name].iloc[0] for name in ("pruning", "combination")}
        dots, seeds, means = (select(points, kind=kind) for kind in (_NETWORK, _SEED, _MEAN))
        axes.axhline(DEFAULT_DELTA, color=style.GREY, lw=1.0, ls="--", zorder=1)
        scatter(axes, dots, "x", "y", "merging", looks, s=5, alpha=0.3)
        every = [rows for _, rows in seeds.groupby(["merging", "seed"], observed=True)]
        colours = [looks[rows["merging"].iloc[0]].colour for rows in every]
        thin = {"linewidths": 0.6, "alpha": 0.45}
        outlines = [rows[["x", "y"]].to_numpy() for rows in every]
        if len(outlines) <= _MOST_CURVES:
            axes.add_collection(LineCollection(outlines, colors=colours, **thin))
            lined.update(seeds["merging"][seeds["x"].notna()])
        read = seeds[np.isclose(seeds["y"], DEFAULT_DELTA)]
        scatter(axes, read, "x", "y", "merging", looks, s=9, alpha=0.6, zorder=4)
        for name, line in means.groupby("merging", observed=True):
            axes.plot(line["x"], line["y"], color=looks[name].colour, lw=1.8)
        large, here = {"s": 30, "linewidth": 0.6, "zorder": 5}, select(marks, **place)
        scatter(axes, here, "x", "y", "merging", looks, **large)
        guessed = here["merging"].isin(read["merging"][read["x"].isna()])
        hollow(axes, here[guessed], "x", "y", looks, large["s"])
        axes.set_xscale("log")
        log_axis(axes.xaxis)
        axes.set_ylim(_LEVELS[-1], _LEVELS[0])
    line = {"color": style.GREY, "lw": 1.0, "ls": "--"}
    level = Line2D([], [], label=f"{DEFAULT_DELTA:g} point lost", **line)
    handles = [
        mark
        for name, look in looks.items()
        for mark in style.marks([look], "-" if name in lined else "none")
    ]
    return panels.with_legend([*handles, level])


def _shown(networks: Networks) -> list[str]:
    """Return the combinations that have panels: at most one of one task, of half, and of all."""
    names = order_combinations(networks.combinations)
    half = (names[-1].count("&") + 2) // 2
    middle = next(name for name in names if name.count("&") + 1 == half)
    return names if len(names) <= 3 else [names[0], middle, names[-1]]


def _rows(networks: Networks) -> Iterator[Mapping[str, object]]:
    """Yield what is drawn of an experiment and pruning: networks and curves."""
    yield from _networks(networks)
    yield from _curves(networks)


def _curves(networks: Networks) -> Iterator[Mapping[str, object]]:
    """Yield the costs of mergers at the drops that their paths cover; of no seed, their means.

    That of networks which share nothing is the sum of their costs, each at that drop.
    """
    names = _shown(networks)
    for merging, seeds in networks.paths.items():
        costs = {seed: _costs(paths, names) for seed, paths in seeds.items()}
        if costs:
            costs[None] = np.exp(np.mean([*map(np.log, costs.values())], axis=0))
        for seed, of_seed in costs.items():
            kind = _MEAN if seed is None else _SEED
            for name, x in zip(names, of_seed, strict=True):
                axes = {"pruning": networks.pruning, "merging": merging, "combination": name}
                for cost, level in zip(x, _LEVELS, strict=True):
                    yield axes | {"kind": kind, "seed": seed, "x": 1e-6 * cost, "y": level}


def _costs(paths: Sequence[Path], names: Sequence[str]) -> Array:
    """Return costs (combinations, levels); NaN where a path has no network near the level."""
    tasks = [frozenset(name.split("&")) for name in names]
    costs, _, bounds = read_levels(paths, tasks, _LEVELS, MEAN)
    gaps = {path.tasks: _guessed(path) for path in paths}
    guessed = [
        np.any([gap for own, gap in gaps.items() if chosen & set(own)], axis=0) for chosen in tasks
    ]
    return np.where(bounds | np.isinf(costs) | guessed, np.nan, costs)


def _guessed(path: Path) -> NDArray[np.bool_]:
    """Return at which levels a line would lead over a wide gap to a network that is not shown."""
    gaps = [gap_of(path, level) for level in _LEVELS]
    return np.array(
        [
            gap is not None and gap["above"] > WIDE * gap["below"] and gap["drop"] > _LEVELS[-1]
            for gap in gaps
        ]
    )


def _networks(networks: Networks) -> Iterator[Mapping[str, object]]:
    """Yield what was measured of the networks in which all tasks of a combination share one."""
    for merging, seeds in networks.parts.items():
        for part in (part for parts in seeds.values() for part in parts):
            for name in _shown(networks):
                flops = part.costs["flops"].get(frozenset(name.split("&")), [])
                axes = {"pruning": networks.pruning, "merging": merging, "combination": name}
                for cost, drop in zip(flops, part.drops.mean(axis=0), strict=False):
                    if _LEVELS[0] <= drop <= _LEVELS[-1]:
                        point = {"kind": _NETWORK, "seed": None, "x": 1e-6 * cost, "y": drop}
                        yield axes | point
