"""Figure: where the time goes: wall clock, processor time and memory of the jobs of every rule."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pam.reporting.figures import style
from pam.reporting.figures.panels import log_axis, named, scatter, stacked_bars
from pam.reporting.run import Run
from pam.reporting.statistics.latency import duration, rule_times
from pam.reporting.storage import select

SOURCES = ("resources",)
TITLE = "Where does the time go?"
NOTE = (
    "as every job measured itself; jobs may have run side by side · left: all jobs together, "
    "largest first · middle: one mark per job, line: median · right: the largest job"
)
PROCESSOR = style.Look("processor time", style.DARK, "")

_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a row per rule, and per pruner where a rule has one; None without jobs."""
    jobs = select(run.table("resources"), experiment=experiment)
    if jobs.empty:
        return None
    looks = style.merging_looks(run.names, set(jobs["merging"]) - {""})
    if (jobs["merging"] == "").any():
        looks = {"": style.Look("before merging", style.LIGHT, "d")} | looks
    jobs = named(run, jobs)
    jobs["rule"] = (jobs["rule"] + ", " + jobs["pruning"].astype(str)).str.removesuffix(", ")
    times = rule_times(jobs)
    figure = style.new_figure(10.2, 0.42 * len(times) + 1.4)
    # Room between the last number of one axis and the first of the next.
    figure.get_layout_engine().set(wspace=0.05)
    totals, single, memory = figure.subplots(1, 3, sharey=True, width_ratios=(3.2, 3.2, 1.6))
    draw_totals(totals, jobs, times, "merging", looks)
    totals.set_title("all jobs together")
    places = {rule: place for place, rule in enumerate(times["rule"])}
    # Milliseconds are the last decimal of the CSV file.
    jobs = jobs.assign(place=jobs["rule"].map(places), wall=jobs["wall_s"].clip(lower=0.001))
    scatter(single, jobs, "wall", "place", "merging", looks, s=15, alpha=0.8, zorder=2)
    for place, median in enumerate(times["median"]):
        single.plot([median] * 2, [place - 0.4, place + 0.4], color=style.DARK, zorder=1)
    single.set(title="a single job", xlabel="wall clock of a job (seconds)", xscale="log")
    log_axis(single.xaxis)
    gigabytes = times["memory"] / 1000
    bars = memory.barh(times.index, gigabytes, color="white", edgecolor=style.DARK, lw=0.7)
    memory.bar_label(bars, fmt="{:.2f}", fontsize=6.5, padding=3)
    memory.set(title="peak memory", xlabel="GB", xlim=(0, 1.25 * max(gigabytes)))
    for axes in (single, memory):
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
    style.top_legend(figure, style.patches([*looks.values(), PROCESSOR]))
    return figure


def draw_totals(
    axes: Axes, jobs: pd.DataFrame, times: pd.DataFrame, column: str, looks: Mapping
) -> None:
    """Draw a bar of wall clock per rule, in a piece per look, over a thin one of processor time."""
    most = times[["total", "cpu"]].max(axis=None)
    scale, unit = next(one for one in _UNITS if most >= 2 * one[0] or one[0] == 1)
    rules = pd.Categorical(jobs["rule"], times["rule"])
    rows = jobs.assign(rule=rules, wall=jobs["wall_s"] / scale)
    stacked_bars(axes, rows, "rule", "wall", column, looks)
    axes.barh(times.index + 0.44, times["cpu"] / scale, 0.14, color=PROCESSOR.colour, lw=0)
    labels = []
    for place, rule, number, total, median, *_ in times.itertuples():
        put = {"textcoords": "offset points", "va": "center", "fontsize": 6.5}
        axes.annotate(duration(total), (total / scale, place), (3, 0), **put)
        jobs_of = "1 job," if number == 1 else f"{number:,} jobs, median"
        labels.append(f"{rule}\n{jobs_of} {duration(median)}")
    axes.set_yticks(times.index, labels)
    axes.set(xlim=(0, 1.2 * most / scale), xlabel=f"wall clock ({unit})", ylabel="")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
