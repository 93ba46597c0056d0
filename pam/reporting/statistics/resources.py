"""Where the time goes: run time and memory of the jobs of every rule, from ``resources.csv``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pam.reporting.statistics.curves import select
from pam.reporting.storage import read_table, read_text_table
from pam.reporting.tables.text_table import Document, TextTable


@dataclass(frozen=True)
class RuleTime:
    """The jobs of one rule; seconds, and megabytes.

    Attributes:
        rule: its name.
        jobs: how many there were.
        total: wall clock of all of them together.
        median: wall clock of a job.
        longest: wall clock of the slowest job.
        cpu: processor time, all jobs.
        memory: peak of the largest job.
    """

    rule: str
    jobs: int
    total: float
    median: float
    longest: float
    cpu: float
    memory: float


def rule_times(jobs: pd.DataFrame) -> list[RuleTime]:
    """Return the rules that took time, the one that took most first.

    Args:
        jobs: rows of ``resources.csv``.
    """
    times = [_of_rule(str(rule), rows) for rule, rows in jobs.groupby("rule")]
    return sorted(times, key=lambda time: -time.total)


def shares(times: Sequence[RuleTime]) -> list[float]:
    """Return the share of every rule in the wall clock of all of them; zeros if none took any."""
    whole = sum(time.total for time in times)
    return [time.total / whole if whole else 0.0 for time in times]


def duration(seconds: float) -> str:
    """Return ``3.2 s``, ``4 min 05 s`` or ``7 h 12 min``; an en dash for NaN."""
    if pd.isna(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def resources(folder: Path, experiment: str) -> Document | None:
    """Return what the jobs of every rule took; None where no job measured itself."""
    times = rule_times(select(read_table(folder, "resources"), experiment=experiment))
    if not times:
        return None
    rows = [
        [
            time.rule,
            f"{time.jobs:,}",
            f"{time.total:,.1f}",
            f"{100 * share:.0f} %",
            f"{time.median:,.1f}",
            f"{time.longest:,.1f}",
            f"{time.cpu:,.1f}",
            f"{time.memory:,.0f}",
        ]
        for time, share in zip(times, shares(times), strict=True)
    ]
    header = ["rule", "jobs", "wall clock (s)", "share", "median job (s)", "longest job (s)"]
    header += ["processor (s)", "peak memory (MB)"]
    return Document(
        title=f"{experiment}: where the time goes",
        intro="Wall clock and processor time of all jobs of a rule together, as each job measured "
        "itself; jobs may have run side by side. Peak memory is that of the largest job.",
        tables=[TextTable("Run time and memory per rule", header, rows, 1)],
        numbers=select(read_text_table(folder, "resources"), experiment=experiment),
    )


def _of_rule(rule: str, rows: pd.DataFrame) -> RuleTime:
    return RuleTime(
        rule=rule,
        jobs=len(rows),
        total=float(rows["wall_s"].sum()),
        median=float(rows["wall_s"].median()),
        longest=float(rows["wall_s"].max()),
        cpu=float(rows["cpu_s"].sum()),
        memory=float(rows["peak_memory_mb"].max()),
    )
