"""Figure: where the time goes: wall clock, processor time and memory of the jobs of every rule."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from pam.reporting.figures import style
from pam.reporting.names import order_mergings, order_prunings, pruning_name
from pam.reporting.statistics.resources import RuleTime, duration, rule_times
from pam.reporting.storage import read_table, select

SOURCES = ("resources",)
TITLE = "Where the time goes"
NOTE = (
    "as every job measured itself; jobs may have run side by side · left: all jobs of a rule "
    "together, largest first · middle: one mark per job, line: median · right: the largest job, "
    "line: median"
)

_NO_MERGER = "before merging"
_LINE_INCHES = 0.21
_LEAST_LINES = 2
_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))

Lines = dict[str, dict[str, float]]
"""rule -> pruner (empty: none) -> where its line lies; lines are one apart, downwards."""


def draw(folder: Path, experiment: str) -> Figure | None:
    """Return the figure of one experiment; None where no job measured itself.

    A row per rule: wall clock of all its jobs, stacked by merger, over their processor time; the
    wall clock of single jobs, with a line per pruner; and peak memory.
    """
    jobs = select(read_table(folder, "resources"), experiment=experiment)
    if jobs.empty:
        return None
    times = rule_times(jobs)
    lines = _lines(jobs, times)
    looks = _looks(jobs)
    n_lines = sum(max(len(of_rule), _LEAST_LINES) for of_rule in lines.values())
    figure = style.new_figure(10.2, _LINE_INCHES * (n_lines + len(times)) + 1.35)
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(3.2, 3.2, 1.6))
    totals, single, memory = panels
    centres = [float(np.mean(list(lines[time.rule].values()))) for time in times]
    draw_totals(totals, times, centres, [_parts(select(jobs, rule=t.rule), looks) for t in times])
    _single_jobs(single, jobs, lines, looks)
    _memory(memory, times, centres, jobs)
    every = [y for of_rule in lines.values() for y in of_rule.values()]
    totals.set_ylim(max(every) + 1, min(every) - 1)
    totals.set_title("all jobs together")
    single.set_title("a single job")
    memory.set_title("peak memory")
    handles = [Patch(label=name, **look) for name, look in looks.values()]
    handles.append(Patch(label="processor time", facecolor=style.PROCESSOR))
    style.top_legend(figure, handles, columns=min(len(handles), 9))
    return figure


def draw_totals(
    axes: Axes,
    times: Sequence[RuleTime],
    centres: Sequence[float],
    parts: Sequence[Sequence[tuple[float, Mapping[str, object]]]],
) -> None:
    """Draw a bar of wall clock per rule, over a thin one of processor time.

    Args:
        axes: where; its vertical axis, which the caller limits, gets the names of the rules.
        times: the rules, largest first.
        centres: where their bars lie.
        parts: of every bar, from left to right: seconds of wall clock, and the look.
    """
    most = max(max(time.total, time.cpu) for time in times)
    scale, unit = next(one for one in _UNITS if most >= 2 * one[0] or one[0] == 1)
    for time, centre, stack in zip(times, centres, parts, strict=True):
        ends = np.cumsum([0.0, *(seconds for seconds, _ in stack)]) / scale
        for left, right, (_, look) in zip(ends, ends[1:], stack, strict=False):
            axes.barh(centre - 0.15, right - left, 0.9, left=left, **look)
        axes.barh(centre + 0.5, time.cpu / scale, 0.22, color=style.PROCESSOR)
        axes.annotate(
            duration(time.total),
            (time.total / scale, centre - 0.15),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=6.5,
        )
    axes.set_yticks(centres, [_told(time) for time in times])
    axes.set_xlim(0, 1.2 * most / scale)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(f"wall clock ({unit})")
    style.grid(axes, "x")


def _told(time: RuleTime) -> str:
    jobs = "1 job," if time.jobs == 1 else f"{time.jobs:,} jobs, median"
    return f"{time.rule}\n{jobs} {duration(time.median)}"


def _lines(jobs: pd.DataFrame, times: Sequence[RuleTime]) -> Lines:
    """Return where the line of every rule and pruner lies, the largest rule at the top."""
    lines: Lines = {}
    top = 0.0
    for time in times:
        prunings = order_prunings(select(jobs, rule=time.rule)["pruning"].unique())
        height = max(len(prunings), _LEAST_LINES)
        first = top + (height - len(prunings)) / 2
        lines[time.rule] = {name: first + index for index, name in enumerate(prunings)}
        top += height + 1
    return lines


def _looks(jobs: pd.DataFrame) -> dict[str, tuple[str, dict[str, object]]]:
    """Return merger (empty: none) -> its name in the legend and the look of its bars."""
    mergings = order_mergings(name for name in jobs["merging"] if name)
    looks: dict[str, tuple[str, dict[str, object]]] = {}
    if (jobs["merging"] == "").any():
        looks[""] = (_NO_MERGER, {"facecolor": style.SHARED_COLOUR, "linewidth": 0.0})
    handles = style.bar_handles(mergings)
    for merging, handle, (colour, _) in zip(
        mergings, handles, style.merging_styles(mergings).values(), strict=True
    ):
        looks[merging] = (str(handle.get_label()), style.bar_style(merging, colour))
    return looks


def _parts(
    jobs: pd.DataFrame, looks: Mapping[str, tuple[str, dict[str, object]]]
) -> list[tuple[float, dict[str, object]]]:
    """Return the wall clock and look of every merger that has jobs."""
    walls = jobs.groupby("merging")["wall_s"].sum()
    return [(walls[merging], look) for merging, (_, look) in looks.items() if merging in walls]


def _single_jobs(
    axes: Axes,
    jobs: pd.DataFrame,
    lines: Lines,
    looks: Mapping[str, tuple[str, dict[str, object]]],
) -> None:
    """Draw a mark per job; those of a pruner on one line, which names it."""
    marks = {"": (style.GREY, "|"), **style.merging_styles([name for name in looks if name])}
    for rule, of_rule in lines.items():
        for pruning, y in of_rule.items():
            rows = select(jobs, rule=rule, pruning=pruning)
            median = rows["wall_s"].median()
            axes.vlines(median, y - 0.42, y + 0.42, color="#333333", lw=1.0, zorder=1)
            for merging, (colour, marker) in marks.items():
                walls = select(rows, merging=merging)["wall_s"]
                look = {"ms": 3.4, "mew": 0.9 if marker == "|" else 0.0, "alpha": 0.75}
                axes.plot(walls, np.full(len(walls), y), marker, color=colour, **look)
            if pruning:
                place = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 6}
                axes.text(0.01, y, pruning_name(pruning), color="#666666", **place)
    axes.set_xscale("log")
    # Milliseconds are the last decimal of the CSV file.
    low, high = np.maximum([jobs["wall_s"].min(), jobs["wall_s"].max()], 0.001)
    # Names of pruners stand left of the marks.
    room = (high / low) ** 0.35 if jobs["pruning"].any() else 1.0
    axes.set_xlim(low / room / 1.25, 1.25 * high)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("wall clock of a job (seconds)")
    axes.tick_params(axis="y", length=0)
    style.grid(axes, "x")


def _memory(
    axes: Axes, times: Sequence[RuleTime], centres: Sequence[float], jobs: pd.DataFrame
) -> None:
    for time, centre in zip(times, centres, strict=True):
        axes.barh(centre, time.memory / 1000, 0.9, color=style.SKY)
        median = select(jobs, rule=time.rule)["peak_memory_mb"].median() / 1000
        axes.vlines(median, centre - 0.45, centre + 0.45, color="#333333", lw=1.0)
        axes.annotate(
            f"{time.memory / 1000:.2f}",
            (time.memory / 1000, centre),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=6.5,
        )
    axes.set_xlim(0, 1.25 * max(time.memory for time in times) / 1000)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("GB")
    style.grid(axes, "x")
