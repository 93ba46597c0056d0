"""Run times in the report: the rules with their bars, and the slowest jobs."""

from pathlib import Path

from pam.reporting.pages.report.grids import Grid, plain_grid
from pam.reporting.statistics.resources import RuleTime, rule_times
from pam.reporting.storage import read_table

SLOWEST = 8


def rule_bars(results: Path) -> list[tuple[RuleTime, float]]:
    """Return the rules that took time, the one that took most first, and how long their bars are.

    Raises:
        DataError: if ``resources.csv`` is missing or damaged.
    """
    times = rule_times(read_table(results, "resources"))
    most = max((time.total for time in times), default=0.0)
    return [(time, time.total / most if most else 0.0) for time in times]


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
