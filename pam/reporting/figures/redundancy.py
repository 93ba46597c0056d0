"""Figure: do exclusive groups still repeat each other once a network is pruned?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.figures.panels import beside, facets, levels, named, scatter, spread, with_place
from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.analyses import AFTER, BEFORE, before_and_after, correlations
from pam.reporting.storage import select

SOURCES = ("redundancy", "redundancy_samples")
TITLE = "Do exclusive groups repeat each other?"
NOTE = (
    "left: outputs, image by image, of the most correlated pair of neurons exclusive to different "
    "tasks, in the deepest layer of the first seed · right: mean over neurons of the largest |r| "
    "with the other group, over seeds, bars: 95 % interval · after: the most pruned network that "
    "has such neurons; no mark: a layer in which it has none"
)

_LOOKS = {
    BEFORE: style.Look("before pruning", style.GREY, "s"),
    AFTER: style.Look("after pruning", style.VERMILION, "o"),
}
_LAYERS = "all layers"


def draw(run: Run, experiment: str) -> Figure | None:
    """Return panels of a pair of neurons before and after pruning, and of all layers.

    Rows are networks. None where no correlation was measured.
    """
    found = select(correlations(run, experiment), quantity="mean_max_correlation")
    if found.empty:
        return None
    samples = select(run.table("redundancy_samples"), experiment=experiment)
    pairs = _deepest_pairs(before_and_after(samples))
    rows = pd.concat([pairs.assign(column=pairs["stage"]), found.assign(column=_LAYERS)])
    rows = with_place(named(run, rows), "pruning", "merging")
    rows["column"] = pd.Categorical(rows["column"], [*_LOOKS, _LAYERS])
    panels = facets(rows, "place", "column", (2.4, 2.05), ("", ""))
    for axes in panels.grid[:, :-1].flat:
        axes.set_title("no pair left")
    for axes, cells, _, network in panels.panels:
        if axes in panels.grid[:, -1]:
            _summary(axes, cells)
            axes.set(xlabel="layer", ylabel="mean of largest |r|")
        else:
            _scatter(axes, cells)
            one, other = (f"neuron of task {cells[f'task_{side}'].iloc[0]}" for side in "ab")
            axes.set(xlabel=one, ylabel=f"{network}\n{other}".strip())
    return panels.with_legend(style.marks(_LOOKS.values(), "none"))


def _deepest_pairs(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the samples of one pair per network: of the first seed, in its deepest layer."""
    network = ["pruning", "merging", "stage"]
    pair = ["seed", "layer", "task_a", "task_b"]
    order = sorted(samples["layer"].unique(), key=natural_key, reverse=True)
    depth = samples["layer"].map(order.index)
    ranked = samples.assign(depth=depth).sort_values(["seed", "depth"], kind="stable")
    return samples.merge(ranked.drop_duplicates(network)[[*network, *pair]], on=[*network, *pair])


def _scatter(axes: Axes, pair: pd.DataFrame) -> None:
    """Draw the outputs of two neurons, and their correlation as the title."""
    stage, values = pair["stage"].iloc[0], pair[["value_a", "value_b"]]
    look = {"s": 9, "alpha": 0.5, "rasterized": True}
    scatter(axes, pair, "value_a", "value_b", "stage", _LOOKS, **look)
    constant = (values.max() == values.min()).any()
    r = "undefined" if constant else f"{values.corr().iloc[0, 1]:.2f}"
    axes.set_title(f"{stage}: {pair['layer'].iloc[0]}, r = {r}")
    axes.locator_params(nbins=4)


def _summary(axes: Axes, found: pd.DataFrame) -> None:
    layers = levels(spread(found)["layer"])
    shown = found[found["layer"].isin(layers)]
    x = shown["layer"].astype(str).map(layers.index) + beside(shown["stage"], list(_LOOKS), 0.4)
    colours = [_LOOKS[stage].colour for stage in shown["stage"]]
    axes.vlines(x, shown["low"], shown["high"], colours, lw=1.0)
    scatter(axes, shown.assign(x=x), "x", "mean", "stage", _LOOKS, s=34)
    axes.set_xticks(range(len(layers)), layers)
    axes.set(xlim=(-0.5, len(layers) - 0.5), ylim=(0, 1.02))
