"""Where the time went: run times and memory per rule, from ``resources.csv``."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pam.reporting.report.grids import Grid, plain_grid
from pam.reporting.storage import read_table

SLOWEST = 8
# In the order of the arrow, as far as jobs measure themselves.
RULES = ("train", "merge", "prune", "measure", "relate", "analyse")


@dataclass(frozen=True)
class RuleTime:
    """The jobs of one rule; seconds of wall clock, and megabytes.

    Attributes:
        rule: its name.
        jobs: how many there were.
        total: seconds of all of them together.
        share: ``total`` as a fraction of the largest one, for the chart.
        median: seconds of a job.
        longest: seconds of the slowest job.
        cpu: seconds of processor time, all jobs.
        memory: peak of the largest job.
    """

    rule: str
    jobs: int
    total: float
    share: float
    median: float
    longest: float
    cpu: float
    memory: float


def rule_times(results: Path) -> list[RuleTime]:
    """Return the rules that took time, in the order of the workflow.

    Raises:
        DataError: if ``resources.csv`` is missing or damaged.
    """
    groups = dict(list(read_table(results, "resources").groupby("rule")))
    most = max((rows["wall_s"].sum() for rows in groups.values()), default=0.0)
    order = [*(rule for rule in RULES if rule in groups), *sorted(set(groups) - set(RULES))]
    return [_of_rule(rule, groups[rule], most) for rule in order]


def slowest_jobs(results: Path) -> Grid:
    """Return the jobs that took longest, the slowest first.

    Raises:
        DataError: if ``resources.csv`` is missing or damaged.
    """
    jobs = read_table(results, "resources").sort_values("wall_s", ascending=False, kind="stable")
    rows = [
        [
            row["rule"],
            row["experiment"],
            " + ".join(filter(None, (row["task"], row["merging"], row["pruning"]))),
            f"{row['seed']:.0f}",
            f"{row['wall_s']:,.1f}",
            f"{row['peak_memory_mb']:,.0f}",
            row["device"],
            row["host"],
        ]
        for row in jobs.head(SLOWEST).to_dict("records")
    ]
    numbers = ["wall clock (s)", "peak MB"]
    header = ["rule", "experiment", "cell", "seed", *numbers, "device", "host"]
    return plain_grid("The slowest jobs", header, rows, numbers)


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


def _of_rule(rule: str, rows: pd.DataFrame, most: float) -> RuleTime:
    total = float(rows["wall_s"].sum())
    return RuleTime(
        rule=rule,
        jobs=len(rows),
        total=total,
        share=total / most if most else 0.0,
        median=float(rows["wall_s"].median()),
        longest=float(rows["wall_s"].max()),
        cpu=float(rows["cpu_s"].sum()),
        memory=float(rows["peak_memory_mb"].max()),
    )
