"""Figure: how many neurons of every layer belong to which group, before and after pruning."""

import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pam.reporting.figures import style
from pam.reporting.figures.panels import facets, levels, named, spread, stacked_bars
from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.statistics.operating_points import mean_groups
from pam.reporting.storage import select

SOURCES = ("groups", "operating_points")
TITLE = "Which neurons are shared, and how many does pruning leave?"
NOTE = (
    f"means over seeds · after pruning: the cheapest network within {DEFAULT_DELTA:g} percentage "
    "point of the single-task networks on validation data · layers in which no network differs, "
    "such as outputs, are left out"
)


_MERGED = "merged"


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel of bars per stage and layer; None where no groups are known."""
    groups = select(run.table("groups"), experiment=experiment)
    if groups.empty:
        return None
    looks = style.group_looks(groups["group"])
    means = spread(_varied(named(run, mean_groups(run, experiment))))
    # A long name would reach into the row above: rows may be as low as a bar.
    means["pruning"] = means["pruning"].cat.rename_categories(_folded)
    every = _asked(named(run, groups[["pruning", "merging"]]), levels(means["merging"]))
    asked = {_folded(name): mergings for name, mergings in every.items()}
    heights = [max(1.15, 0.17 * len(asked[name]) + 0.3) for name in levels(means["pruning"])]
    size, labels = (1.75, sum(heights) / len(heights)), ("neurons (channels)", "")
    shared = {"sharex": "col", "sharey": "row", "height_ratios": heights}
    panels = facets(means, "pruning", "layer", size, labels, **shared)
    for axes, rows in panels:
        mergings = asked[rows["pruning"].iloc[0]]
        rows = rows.assign(merging=rows["merging"].cat.set_categories(mergings))
        stacked_bars(axes, rows, "merging", "neurons", "group", looks)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        for place, length in enumerate(rows.groupby("merging", observed=False)["neurons"].sum()):
            # It stays inside the panel, so the layout need not ask where it ends.
            put = {"va": "center", "fontsize": 6, "in_layout": False}
            text = f"{length:.3g}" if length else "no network"
            axes.annotate(text, (length, place), (2, 0), textcoords="offset points", **put)
        # A single bar is no thicker than others.
        middle, half = (len(mergings) - 1) / 2, max(len(mergings), 3) / 2 + 0.05
        axes.set_ylim(middle + half, middle - half)
    for axes in panels.grid[0]:
        axes.set_xlim(0, 1.2 * axes.dataLim.x1)
    return panels.with_legend(style.patches(looks.values()))


def _folded(name: str) -> str:
    return textwrap.fill(name or _MERGED, 13)


def _asked(rows: pd.DataFrame, mergings: Sequence[str]) -> dict[str, list[str]]:
    """Return pruning scheme, or ``merged`` -> the mergings that it was asked to prune, in order."""
    pairs = rows.drop_duplicates().groupby("pruning", observed=True)["merging"]
    asked = {name: [one for one in mergings if one in {*found}] for name, found in pairs}
    return asked | {_MERGED: list(mergings)}


def _varied(means: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of layers whose groups differ from network to network; all if none do."""
    networks = means.pivot_table(
        "neurons", ["layer", "group"], ["pruning", "merging"], fill_value=0, observed=True
    )
    differ = (networks.nunique(axis=1) > 1).groupby("layer", observed=True).any()
    return means[means["layer"].isin(differ.index[differ])] if differ.any() else means
