"""Figure: computation at matched accuracy against how many tasks run."""

from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.figures.panels import beside, cost_lines, facets, in_mflops, merging_looks, named
from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.statistics.pruning_path import MEAN

SOURCES = ("requests", "measurements")
TITLE = "How does the cost grow with the tasks that run?"
NOTE = (
    "lower is cheaper, at the same accuracy "
    f"({DEFAULT_DELTA:g} point lost on validation data) · mean over all combinations of that "
    "many tasks · bars: 95 % interval over seeds, of two seeds their range · hollow: at most · no "
    "mark: not run, or a seed never comes that close"
)


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel per pruning scheme; None with fewer than three tasks."""
    where = {"experiment": experiment, "requirement": MEAN, "delta": DEFAULT_DELTA}
    rows = run.rows("requests", **where).dropna(subset=["n_tasks", "flops_mean"])
    if not rows["n_tasks"].max() > 2:
        return None
    looks = merging_looks(run, experiment, rows["merging"])
    rows = named(run, in_mflops(rows))
    rows["x"] = rows["n_tasks"] + beside(rows["merging"], list(looks), 0.5)
    numbers = {number: f"{number:.0f}" for number in sorted(rows["n_tasks"].unique())}
    labels = ("tasks that run", "computation (MFLOPs)")
    panels = facets(rows, None, "pruning", (2.6, 2.6), labels, sharey=True)
    for axes, points in panels:
        cost_lines(axes, points, "x", looks)
        axes.set_xticks(list(numbers), list(numbers.values()))
        axes.set_xlim(min(numbers) - 0.5, max(numbers) + 0.5)
    return panels.with_legend(style.marks(looks.values()))
