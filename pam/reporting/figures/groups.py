"""Figure: how many neurons of every layer belong to which group, before and after pruning."""

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
NOTE = (
    f"means over seeds · after pruning: the cheapest network within {DEFAULT_DELTA:g} percentage "
    "point of the single-task networks on validation data · layers in which no network differs, "
    "such as outputs, are left out"
)


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel of bars per stage and layer; None where no groups are known."""
    groups = select(run.table("groups"), experiment=experiment)
    if groups.empty:
        return None
    looks = style.group_looks(groups["group"])
    means = spread(_varied(named(run, mean_groups(run, experiment))))
    means["pruning"] = means["pruning"].cat.rename_categories({"": "merged"})
    size = 1.75, max(1.15, 0.17 * len(levels(means["merging"])) + 0.3)
    labels = ("neurons (channels)", "")
    panels = facets(means, "pruning", "layer", size, labels, sharex="col", sharey=True)
    for axes, rows in panels:
        stacked_bars(axes, rows, "merging", "neurons", "group", looks)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        for place, length in enumerate(rows.groupby("merging", observed=False)["neurons"].sum()):
            # It stays inside the panel, so the layout need not ask where it ends.
            put = {"va": "center", "fontsize": 6, "in_layout": False}
            text = f"{length:.3g}" if length else "no network"
            axes.annotate(text, (length, place), (2, 0), textcoords="offset points", **put)
    for axes in panels.grid[0]:
        axes.set_xlim(0, 1.2 * axes.dataLim.x1)
    return panels.with_legend(style.patches(looks.values()))


def _varied(means: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of layers whose groups differ from network to network; all if none do."""
    networks = means.pivot_table(
        "neurons", ["layer", "group"], ["pruning", "merging"], fill_value=0, observed=True
    )
    differ = (networks.nunique(axis=1) > 1).groupby("layer", observed=True).any()
    return means[means["layer"].isin(differ.index[differ])] if differ.any() else means
