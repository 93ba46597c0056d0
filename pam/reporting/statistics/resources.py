"""Where the time goes: run time and memory of the jobs of every rule, from ``resources.csv``."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd


class RuleTime(NamedTuple):
    """The jobs of one rule, in seconds: wall clock of all, of the median and of the slowest job.

    ``cpu`` is the processor time of all (seconds), ``memory`` the peak of the largest (MB).
    """

    rule: str
    jobs: int
    total: float
    median: float
    longest: float
    cpu: float
    memory: float


def rule_times(jobs: pd.DataFrame) -> list[RuleTime]:
    """Return the rules of rows of ``resources.csv``, the one that took most time first."""
    rules = jobs.groupby("rule").agg(
        jobs=("wall_s", "size"),
        total=("wall_s", "sum"),
        median=("wall_s", "median"),
        longest=("wall_s", "max"),
        cpu=("cpu_s", "sum"),
        memory=("peak_memory_mb", "max"),
    )
    rules = rules.sort_values("total", ascending=False, kind="stable")
    return [RuleTime(*row) for row in rules.itertuples(name=None)]


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
