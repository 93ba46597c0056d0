"""Where the time goes: sums per rule, as a table and as a figure."""

import pytest

from benchmarks import whole_runs
from pam.reporting.figures import resources as figure
from pam.reporting.figures import style
from pam.reporting.run import Run
from pam.reporting.schema import TABLES
from pam.reporting.statistics.latency import rule_times
from pam.reporting.storage import read_table, write_rows
from pam.reporting.tables.overviews import resources

CELLS = [
    ("train", "A", "", "", 10.0, 400.0),
    ("train", "B", "", "", 14.0, 420.0),
    ("merge", "", "mtz", "", 7.0, 500.0),
    ("merge", "", "pam", "", 9.0, 650.0),
    ("prune", "", "mtz", "vibnet", 30.0, 300.0),
    ("prune", "", "mtz", "taylor", 20.0, 310.0),
    ("prune", "", "pam", "vibnet", 50.0, 330.0),
]


def rows(experiment):
    return [
        {"rule": rule, "experiment": experiment, "task": task, "merging": merging}
        | {"pruning": pruning, "seed": 0, "wall_s": wall, "cpu_s": 0.5 * wall}
        | {"peak_memory_mb": memory, "device": "cpu", "host": "node"}
        for rule, task, merging, pruning, wall, memory in CELLS
    ]


@pytest.fixture
def run(tmp_path):
    write_rows(tmp_path, TABLES["resources"], rows("faces") + rows("digits"))
    return tmp_path


def test_jobs_are_summed_per_rule_and_the_largest_comes_first(run):
    both = rule_times(read_table(run, "resources"))
    sums = [*both[["rule", "jobs", "total"]].itertuples(index=False, name=None)]
    assert sums == [("prune", 6, 200.0), ("train", 4, 48.0), ("merge", 4, 32.0)]
    assert [*both["cpu"]] == [100.0, 24.0, 16.0]
    assert [*both["share"]] == [200 / 280, 48 / 280, 32 / 280]


def test_the_table_is_of_one_experiment(run):
    document = resources(Run(run), "faces")
    assert document.tables[0].rows == [
        ["prune", "3", "100.0", "71 %", "30.0", "50.0", "50.0", "330"],
        ["train", "2", "24.0", "17 %", "12.0", "14.0", "12.0", "420"],
        ["merge", "2", "16.0", "11 %", "8.0", "9.0", "8.0", "650"],
    ]
    assert set(document.numbers["experiment"]) == {"faces"}


def ends_of(axes, scale=1):
    """Where the bars of a panel end, per line, upwards."""
    ends = {}
    for bar in axes.patches:
        line = round(bar.get_y() + bar.get_height() / 2)
        ends.setdefault(line, []).append(round(scale * float(bar.get_x() + bar.get_width()), 6))
    return {line: sorted(ends[line]) for line in sorted(ends)}


def test_bars_are_as_long_as_the_jobs_took(run):
    with style.house_style():
        totals, single, memory = figure.draw(Run(run), "faces").axes
    # Per rule and pruner: a piece per merger, one on the other, and processor time, in seconds.
    assert ends_of(totals) == {0: [30, 40, 80], 1: [12, 24], 2: [10, 20], 3: [7, 8, 16]}
    assert [label.get_text() for label in totals.get_yticklabels()] == [
        "prune, VIBNet (P1)\n2 jobs, median 40.0 s",
        "train\n2 jobs, median 12.0 s",
        "prune, Taylor (P2)\n1 job, 20.0 s",
        "merge\n2 jobs, median 8.0 s",
    ]
    marked = sorted(float(x) for marks in single.collections for x, _ in marks.get_offsets())
    assert marked == sorted(cell[4] for cell in CELLS)
    assert [bar.get_width() for bar in memory.patches] == pytest.approx([0.33, 0.42, 0.31, 0.65])


def test_without_jobs_there_is_nothing(run):
    assert resources(Run(run), "celeba") is figure.draw(Run(run), "celeba") is None


def test_whole_runs_have_a_row_per_rule_and_a_panel_per_run(run):
    rows = whole_runs.rows_of(run)
    assert [(row["run"], row["rule"], row["jobs"], row["wall_s"]) for row in rows] == [
        (run.name, "prune", 6, "200.0"),
        (run.name, "train", 4, "48.0"),
        (run.name, "merge", 4, "32.0"),
    ]
    with style.house_style():
        (panel,) = whole_runs.draw([run]).axes
    # Per rule: a piece per experiment, and processor time; 200 s are shown in minutes.
    assert ends_of(panel, 60) == {0: [100, 100, 200], 1: [24, 24, 48], 2: [16, 16, 32]}
