"""Figure: what a pruned, all-shared network loses with the neurons most exclusive to a task."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pam.reporting.figures import style
from pam.reporting.figures.information import coordinates
from pam.reporting.figures.panels import facets, marked_lines, named, scatter, with_place
from pam.reporting.run import Run
from pam.reporting.statistics.analyses import removals

SOURCES = ("exclusivity", "operating_points")
TITLE = "Are shared neurons in fact exclusive to one task?"
NOTE = (
    "neurons removed one after another, those most exclusive to the named task first · thick: "
    "mean over seeds, thin: one seed · right: one mark per neuron, by the task it "
    "tells most about · the cheapest network within 1 percentage point of the single-task "
    "networks, or the least pruned one"
)

_INFORMATION = "what neurons tell"


def draw(run: Run, experiment: str) -> Figure | None:
    """Return panels of accuracy and of information; None where nothing was removed.

    Rows are networks and layers, columns the task whose neurons go first.
    """
    rows = removals(run, experiment)
    if rows.empty:
        return None
    tasks = sorted(rows["task"].unique())
    looks = {
        task: look._replace(label=f"task {task}") for task, look in style.group_looks(tasks).items()
    }
    rows = named(run, rows.assign(accuracy=100 * rows["accuracy"]))
    rows["column"] = "exclusive to " + rows["exclusive_to"] + " first"
    rows = with_place(rows, "merging", "pruning", "layer")
    neurons = rows.drop_duplicates(["place", "seed", "neuron", "task"])
    data = pd.concat([rows, neurons.assign(column=_INFORMATION)])
    data["column"] = pd.Categorical(data["column"], data["column"].unique())
    labels = ("removed neurons", "test accuracy (%)")
    panels = facets(data, "place", "column", (2.3, 1.75), labels)
    for axes, cells in panels:
        if axes in panels.grid[:, -1]:
            _information(axes, cells, looks)
            continue
        # Networks of other seeds may have fewer neurons left: a mean is over all seeds or none.
        cells = cells[cells["step"] <= cells.groupby("seed")["step"].max().min()]
        for (task, _), line in cells.groupby(["task", "seed"]):
            axes.plot(line["step"], line["accuracy"], color=looks[task].colour, lw=0.6, alpha=0.6)
        means = cells.groupby(["task", "step"], as_index=False)["accuracy"].mean()
        marked_lines(axes, means, "step", "accuracy", "task", looks)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    one, others = tasks if len(tasks) == 2 else ("one task", "others")
    for first, *others_of_row, last in panels.grid:
        for axes in others_of_row:
            axes.sharey(first)
        last.set(xlabel=f"about {one} (nats)", ylabel=f"information about\n{others} (nats)")
    return panels.with_legend(style.marks(looks.values()))


def _information(axes: Axes, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    """Draw one mark per neuron of every seed: two tasks against each other, or most and others."""
    known = rows.pivot(index=["seed", "neuron"], columns="task", values="information_nats").dropna()
    points = coordinates(known).assign(most=known.idxmax(axis=1))
    scatter(axes, points, "x", "y", "most", looks, s=14, alpha=0.7)
    axes.axline((0, 0), slope=1, color=style.LIGHT, lw=0.8, zorder=0)
    axes.locator_params(nbins=4)
