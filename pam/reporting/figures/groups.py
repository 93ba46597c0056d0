"""Figure: how many neurons of every layer belong to which group, before and after pruning."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from pam.reporting.figures import style
from pam.reporting.names import (
    merging_name,
    order_mergings,
    order_prunings,
    pruning_name,
)
from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.curves import SHARED
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.statistics.operating_points import chosen_strengths, strength_of
from pam.reporting.storage import read_table, select

SOURCES = ("groups", "operating_points")
TITLE = "Neurons per group, before and after pruning"
NOTE = (
    f"means over seeds · after pruning: the cheapest network within {DEFAULT_DELTA:g} percentage "
    "point of the single-task networks on validation data · –: there is none"
)


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where no groups are known.

    One panel per layer (columns) and stage (rows: merged, then pruned by each scheme, at the
    strength of the operating point that meets delta with all tasks running), bars are means over
    seeds, one per merger, stacked by group.
    """
    groups = select(read_table(folder, "groups"), experiment=experiment)
    if groups.empty:
        return None
    chosen = chosen_strengths(Run(folder), experiment)
    layers = style.spread(sorted(groups["layer"].unique(), key=natural_key), 8)
    stages = [("merged", _merged(groups))]
    for pruning in order_prunings(name for name in groups["pruning"] if name):
        # Strength 0, the network as merged, may be the one that meets delta.
        stages.append(
            (pruning_name(pruning), _at_strengths(select(groups, pruning=pruning), chosen))
        )
    mergings = order_mergings(groups["merging"])
    colours = group_colours(groups["group"].unique())
    height = max(1.35, 0.17 * len(mergings) + 0.5)
    figure = style.new_figure(1.75 * len(layers) + 1.1, height * len(stages) + 0.9)
    panels = figure.subplots(len(stages), len(layers), squeeze=False, sharey=True)
    for row, (title, rows) in zip(panels, stages, strict=True):
        for axes, layer in zip(row, layers, strict=True):
            _stacks(axes, select(rows, layer=layer), mergings, colours)
            if axes in panels[0]:
                axes.set_title(layer)
        row[0].set_ylabel(title, fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("neurons (channels)")
    style.top_legend(figure, _handles(colours), columns=min(len(colours), 6))
    return figure


def group_colours(groups: list[str]) -> dict[str, tuple[str, str]]:
    """Return (colour, hatch) of every group: single tasks first, the shared group last and grey."""
    names = sorted(groups, key=lambda name: (name == SHARED, name.count("&"), name))
    looks = zip(style.TASK_COLOURS * len(names), style.HATCHES * len(names), strict=False)
    own = {name: look for name, look in zip(names, looks, strict=False) if name != SHARED}
    return own | ({SHARED: (style.SHARED_COLOUR, "")} if SHARED in names else {})


def _handles(colours: dict[str, tuple[str, str]]) -> list[Patch]:
    return [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=_group_label(name))
        for name, (colour, hatch) in colours.items()
    ]


def _group_label(name: str) -> str:
    if name == SHARED:
        return "shared by all tasks"
    return f"shared by {name}" if "&" in name else f"exclusive to {name}"


def _merged(groups: pd.DataFrame) -> pd.DataFrame:
    """Return the groups before pruning, once per merger and seed."""
    return select(groups, stage="merged").drop_duplicates(["merging", "seed", "layer", "group"])


def _at_strengths(groups: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return the groups of every merger and seed at the strength chosen for them."""
    rows = groups.merge(chosen, on=["pruning", "merging", "seed"])
    pairs = zip(rows["group"], rows["strengths"], strict=True)
    due = [strength_of(group, strengths) for group, strengths in pairs]
    return rows[np.isclose(rows["strength"], due, rtol=0, atol=1e-6)]


def _stacks(
    axes: Axes, rows: pd.DataFrame, mergings: list[str], colours: dict[str, tuple[str, str]]
) -> None:
    """Draw one horizontal bar per merger: mean neurons over seeds, stacked by group."""
    seeds = rows.groupby("merging")["seed"].nunique()
    totals = rows.groupby(["merging", "group"])["neurons"].sum()
    for position, merging in enumerate(mergings):
        left = 0.0
        for group, (colour, hatch) in colours.items():
            mean = totals.get((merging, group), 0.0) / seeds.get(merging, 1)
            if not mean:
                continue
            look = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
            axes.barh(position, mean, 0.78, left=left, **look)
            left += mean
        text = f"{left:.3g}" if merging in seeds else "–"
        # It stays inside the panel, so the layout need not ask where it ends.
        look = {"va": "center", "fontsize": 6, "in_layout": False}
        axes.annotate(text, (left, position), (2, 0), textcoords="offset points", **look)
    axes.set_yticks(range(len(mergings)), [merging_name(name) for name in mergings])
    axes.set_ylim(len(mergings) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.16 * max(totals.groupby("merging").sum() / seeds, default=1.0))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    style.grid(axes, "x")
