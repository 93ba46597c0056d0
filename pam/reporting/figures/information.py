"""Figure: what every neuron tells about the labels of one task and of another, by group."""

import pandas as pd
from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.figures.panels import facets, named, scatter, spread, twins
from pam.reporting.run import Run
from pam.reporting.storage import select

SOURCES = ("neuron_information",)
TITLE = "Does a neuron know about one task, or about several?"
NOTE = (
    "one mark per neuron of one seed, large marks: means of the groups · 100 % would be all there "
    "is to know about a task's labels · line: as much about one as about the other"
)


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel per pruning-aware merger and layer; None where nothing was recorded."""
    rows = select(run.table("neuron_information"), experiment=experiment)
    rows = rows[rows["merging"].map(run.names.family) == "pam"]
    tasks = sorted(rows["task"].unique())
    if len(tasks) < 2:
        return None
    rows = rows.assign(share=100 * rows["information_nats"] / rows["label_entropy_nats"])
    rows = rows[rows["seed"] == rows["seed"].min()]
    neurons = rows.pivot_table(
        index=["merging", "layer", "neuron", "group"], columns="task", values="share"
    )
    neurons = spread(named(run, coordinates(neurons).reset_index()))
    labels = twins(neurons, "merging")
    neurons = neurons[neurons["merging"].isin(labels)]
    neurons["merging"] = neurons["merging"].cat.remove_unused_categories()
    neurons["merging"] = neurons["merging"].cat.rename_categories(labels)
    looks = style.group_looks(neurons["group"])
    across, up = (f"information about {task}\n(% of label entropy)" for task in tasks[:2])
    if len(tasks) > 2:
        across = "information about the task\nit tells most about (%)"
        up = "mean about the others\n(% of label entropy)"
    panels = facets(
        neurons, "merging", "layer", (1.75, 1.9), (across, up), sharex="col", sharey="col"
    )
    for axes, points in panels:
        scatter(axes, points, "x", "y", "group", looks, s=11, alpha=0.55)
        means = points.groupby("group", as_index=False)[["x", "y"]].mean()
        edge = {"s": 34, "edgecolor": "black", "linewidth": 0.9, "zorder": 5}
        scatter(axes, means, "x", "y", "group", looks, **edge)
        axes.axline((0, 0), slope=1, color=style.LIGHT, lw=0.8, zorder=0)
        axes.set_xlim(-0.03 * points["x"].max(), None)
        axes.locator_params(nbins=4)
    return panels.with_legend(style.marks(looks.values(), "none"))


def coordinates(information: pd.DataFrame) -> pd.DataFrame:
    """Return where neurons stand, ``x`` and ``y``: at what they tell about one task and another.

    Of more than two tasks: about the task that a neuron tells most about, and the mean of the
    others.
    """
    if information.shape[1] == 2:
        return information.set_axis(["x", "y"], axis=1)
    most = information.max(axis=1)
    others = (information.sum(axis=1) - most) / (information.shape[1] - 1)
    return pd.DataFrame({"x": most, "y": others})
