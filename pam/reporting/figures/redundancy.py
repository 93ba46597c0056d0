"""Figure: do exclusive groups still repeat each other once a network is pruned?"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pam.reporting.figures import style
from pam.reporting.names import merging_name, order_mergings, order_prunings, pruning_name
from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.analyses import AFTER, BEFORE, before_and_after, correlations
from pam.reporting.statistics.matched import OK
from pam.reporting.storage import read_table, select

SOURCES = ("redundancy", "redundancy_samples")
TITLE = "Do exclusive groups repeat each other?"
NOTE = (
    "left: outputs, image by image, of the most correlated pair of neurons exclusive to different "
    "tasks, in the deepest layer of the first seed · right: mean over neurons of the largest |r| "
    "with the other group, over seeds, bars: 95 % bootstrap interval · after: the most pruned "
    "network that has such neurons"
)

_MOST_ROWS = 6
_LOOKS = {BEFORE: (style.GREY, "s"), AFTER: (style.VERMILION, "o")}


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where no correlation was measured.

    Rows are pruning schemes and mergers; the first two columns are scatters before and after
    pruning, the third the mean largest correlation of every layer.
    """
    found = select(correlations(Run(folder), experiment), quantity="mean_max_correlation")
    if found.empty:
        return None
    rows = select(read_table(folder, "redundancy"), experiment=experiment, status=OK)
    samples = select(read_table(folder, "redundancy_samples"), experiment=experiment)
    axes_of = ["pruning", "merging"]
    places = [
        place
        for place in product(order_prunings(found["pruning"]), order_mergings(found["merging"]))
        if len(select(found, **dict(zip(axes_of, place, strict=True))))
    ][:_MOST_ROWS]
    figure = style.new_figure(7.6, 2.05 * len(places) + 0.8)
    panels = figure.subplots(len(places), 3, squeeze=False)
    for row, place in zip(panels, places, strict=True):
        where = dict(zip(axes_of, place, strict=True))
        stages = before_and_after(select(samples, **where))
        named = before_and_after(select(rows, **where))
        for axes, stage in zip(row, (BEFORE, AFTER), strict=False):
            pair = _scatter(axes, select(stages, stage=stage), select(named, stage=stage), stage)
            axes.set_xlabel(f"neuron of task {pair[0]}" if pair else "")
            axes.set_ylabel(f"neuron of task {pair[1]}" if pair else "")
        title = f"{pruning_name(place[0])}, {merging_name(place[1])}"
        row[0].set_ylabel(f"{title}\n{row[0].get_ylabel()}")
        _summary(row[2], select(found, **where))
    panels[0][2].set_title("all layers")
    handles = [
        Line2D([], [], color=colour, marker=marker, ls="none", ms=5, label=f"{stage} pruning")
        for stage, (colour, marker) in _LOOKS.items()
    ]
    style.top_legend(figure, handles)
    return figure


def _scatter(
    axes: Axes, samples: pd.DataFrame, rows: pd.DataFrame, stage: str
) -> tuple[str, str] | None:
    """Draw the most correlated pair of one network; return its tasks, or None if there is none."""
    if samples.empty:
        axes.set_title(f"{stage}: no pair left")
        axes.set_xticks([])
        axes.set_yticks([])
        return None
    samples = select(samples, seed=samples["seed"].min())
    layer = max(samples["layer"], key=natural_key)
    samples = select(samples, layer=layer)
    first = samples.iloc[0]
    tasks = {name: first[name] for name in ("task_a", "task_b")}
    samples = select(samples, **tasks)
    x, y = samples["value_a"].to_numpy(), samples["value_b"].to_numpy()
    colour, _ = _LOOKS[stage]
    look = {"ms": 2.4, "alpha": 0.5, "mew": 0, "rasterized": True}
    axes.plot(x, y, "o", color=colour, **look)
    constant = min(np.ptp(x), np.ptp(y)) == 0
    strength = "undefined" if constant else f"{np.corrcoef(x, y)[0, 1]:.2f}"
    axes.set_title(f"{stage}: {layer}, r = {strength}")
    neuron = select(rows, seed=first["seed"], layer=layer, **tasks)
    axes.locator_params(nbins=4)
    style.grid(axes, "both")
    named = [
        f"{tasks[f'task_{side}']} (unit {neuron[f'neuron_{side}'].iloc[0]:.0f})"
        if len(neuron) and neuron[f"neuron_{side}"].notna().all()
        else tasks[f"task_{side}"]
        for side in "ab"
    ]
    return named[0], named[1]


def _summary(axes: Axes, found: pd.DataFrame) -> None:
    layers = style.spread(sorted(found["layer"].unique(), key=natural_key), 8)
    for stage, (colour, marker) in _LOOKS.items():
        points = select(found, stage=stage).set_index("layer").reindex(layers)
        x = np.arange(len(layers)) + (0.1 if stage == AFTER else -0.1)
        axes.vlines(x, points["low"], points["high"], color=colour, lw=1.0)
        axes.plot(x, points["mean"], marker, color=colour, ms=5)
    axes.set_xticks(range(len(layers)), layers)
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("mean of largest |r|")
    style.grid(axes)
