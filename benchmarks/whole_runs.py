"""Where the time of whole runs goes, per rule, from what their jobs measured of themselves.

Run ``python -m benchmarks.whole_runs --runs results/quick results/reference/cartoon [--out CSV]``.
Each row of the CSV is one rule of one run; ``share`` is that in the wall clock of the run's jobs.
Beside the CSV it draws the same as an SVG: a panel per run, bars in pieces per experiment.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.rows import FOLDER, write_csv
from pam.files import atomic_path
from pam.reporting.figures import style
from pam.reporting.figures.resources import PROCESSOR, draw_totals
from pam.reporting.statistics.latency import duration, rule_times
from pam.reporting.storage import read_table

FIELDS = ("run", "rule", "jobs", "wall_s", "cpu_s", "share")
NOTE = "wall clock of all jobs of a rule, as each measured itself; jobs may have run side by side"


def rows_of(run: Path) -> list[dict[str, object]]:
    """Return one row per rule of a run, the largest first.

    Raises:
        DataError: if its ``resources.csv`` is missing or damaged.
    """
    return [
        {"run": run.name, "rule": one.rule, "jobs": one.jobs}
        | {"wall_s": f"{one.total:.1f}", "cpu_s": f"{one.cpu:.1f}", "share": f"{one.share:.4f}"}
        for one in rule_times(read_table(run, "resources")).itertuples()
    ]


def draw(runs: Sequence[Path]) -> Figure:
    """Return the picture: a panel per run, a bar per rule, in pieces per experiment."""
    tables = {run.name: read_table(run, "resources") for run in runs}
    rules = [jobs["rule"].nunique() for jobs in tables.values()]
    figure = style.new_figure(6.8, 0.5 * sum(rules) + 0.8 * len(tables) + 0.3)
    panels = figure.subplots(len(tables), 1, squeeze=False, height_ratios=rules)[:, 0]
    for axes, (name, jobs) in zip(panels, tables.items(), strict=True):
        times = rule_times(jobs)
        experiments = sorted(jobs["experiment"].unique())
        looks = {
            name: look._replace(label=name) for name, look in style.group_looks(experiments).items()
        }
        draw_totals(axes, jobs, times, "experiment", looks)
        whole = duration(times["total"].sum())
        axes.set_title(f"{name}: {len(jobs):,} jobs, {whole} together")
        axes.legend(handles=style.patches([*looks.values(), PROCESSOR]), loc="lower right")
    style.stamp(figure, NOTE)
    return figure


def main() -> None:
    """Write the CSV and, beside it, the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", nargs="+", type=Path, required=True, help="folders of runs")
    parser.add_argument(
        "--out", type=Path, default=Path(FOLDER, "whole_runs.csv"), help="CSV to write"
    )
    given = parser.parse_args()
    write_csv(given.out, FIELDS, [row for run in given.runs for row in rows_of(run)])
    picture = given.out.with_suffix(".svg")
    with style.house_style(), atomic_path(picture) as temporary:
        draw(given.runs).savefig(temporary, metadata={"Date": None, "Creator": None})
    print(f"wrote {picture}")


if __name__ == "__main__":
    main()
