"""Figure: computation of every task combination, by how many tasks run."""

from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.figures.panels import beside, costs, facets, lines, named, scatter
from pam.reporting.run import Run
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import DEFAULT_DELTA

SOURCES = ("matched", "matched_sizes")
TITLE = "Computation by how many tasks run"
NOTE = (
    f"validation accuracy {DEFAULT_DELTA:g} percentage point below the single-task networks · "
    "faint: combinations · lines: mean over all combinations of as many tasks, whiskers: its 95 % "
    "bootstrap interval over seeds, arrow: not reached in some resamples · white centre: only an "
    "upper bound"
)


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel of costs per pruning scheme; None where no merger was compared."""
    where = {"experiment": experiment, "delta": DEFAULT_DELTA}
    sizes = select(run.table("matched_sizes"), **where)
    if sizes.empty:
        return None
    looks = style.merging_looks(run.names, sizes["merging"])
    sizes = named(run, sizes)
    dots = select(run.table("matched"), **where).dropna(subset="flops_mean")
    dots["n_tasks"] = dots["combination"].str.count("&") + 1
    dots = named(run, dots.assign(y=1e-6 * dots["flops_mean"]))
    # Combinations of as many tasks stand side by side.
    groups = dots.groupby(["pruning", "merging", "n_tasks"])["combination"]
    aside = (groups.cumcount() + 0.5) / groups.transform("size") - 0.5
    sizes["x"] = sizes["n_tasks"] + beside(sizes["merging"], list(looks))
    dots["x"] = dots["n_tasks"] + beside(dots["merging"], list(looks)) + 0.6 / len(looks) * aside
    numbers = {number: f"{number:.0f}" for number in sorted(sizes["n_tasks"].unique())}
    labels = ("tasks that run", "computation (MFLOPs)")
    size = max(0.13 * len(looks) * len(numbers) + 0.6, 2.4), 2.7
    panels = facets(sizes, None, "pruning", size, labels)
    for axes, rows in panels:
        points = select(dots, pruning=rows["pruning"].iloc[0])
        scatter(axes, points, "x", "y", "merging", looks, s=7, alpha=0.45)
        known = rows.assign(y=1e-6 * rows["flops_mean"]).dropna(subset="y")
        lines(axes, known, "x", "y", "merging", looks)
        costs(axes, rows, looks, numbers)
    return panels.with_legend(style.marks(looks.values()))
