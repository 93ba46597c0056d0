"""The figure on when merging pays, from made-up costs of experiments that differ in one thing."""

import pytest

from pam.reporting.figures import style, sweeps
from pam.reporting.run import Run
from pam.reporting.schema import TABLES
from pam.reporting.storage import write_rows

ALIKE = {"dataset": "cartoon_faces", "tasks": ["A", "B"], "network": {"widths": [8, 20]}}
OVERLAPS = {f"overlap_{x}": ALIKE | {"data": {"overlap": x / 100}} for x in (0, 50, 100)}
WIDTHS = {
    f"width_{x}": ALIKE | {"data": {"overlap": 0.0}, "network": {"widths": [x, 20]}}
    for x in (16, 32)
}


def run_of(folder, experiments):
    """A run in which B1 costs 2 MFLOPs and another row 1, times the number of tasks that run."""
    rows = [
        {"experiment": name, "pruning": pruning, "requirement": "mean", "delta": 1.0}
        | {"merging": merging, "n_tasks": n_tasks, "combinations": 1, "status": "ok", "n": 6}
        | {"crossed": 6, "flops_mean": cost * (n_tasks or 1.5)}
        | {"flops_low": cost * (n_tasks or 1.5) / 2, "flops_high": cost * (n_tasks or 1.5) * 2}
        for name in experiments
        for merging, pruning, cost in (
            ("none", "vibnet", 2e6),
            ("all_shared", "vibnet_readers", 1e6),
        )
        for n_tasks in (1, 2, None)
    ]
    for name, table in TABLES.items():
        filled = rows if name == "requests" else []
        if name == "measurements":
            filled = [
                {"experiment": one, "dataset": "cartoon_faces", "architecture": "lenet5"}
                | {"merging": merging, "pruning": "vibnet", "strength": 1, "seed": 0}
                | {"combination": "A", "n_tasks": 1, "status": "ok", "accuracy": 0.9}
                | {"flops": 2, "macs": 1, "parameters": 1}
                for one in experiments
                for merging in ("none", "all_shared")
            ]
        write_rows(folder, table, [dict.fromkeys(table.columns) | row for row in filled])
    run = Run(folder)
    # Of the manifest only the configuration is read; hashes of the files are no matter here.
    run.__dict__["manifest"] = type("M", (), {"config": {"experiments": experiments}})()
    run.__dict__["is_aggregated"] = True
    return run


@pytest.fixture(autouse=True)
def without_hashes(monkeypatch):
    monkeypatch.setattr("pam.reporting.run.check_csv", lambda *_: None)


def test_every_sweep_has_a_row_of_panels(tmp_path):
    run = run_of(tmp_path, OVERLAPS | WIDTHS)
    with style.house_style():
        figure = sweeps.draw(run, "overlap_0")
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["one task", "any request", "all tasks", "", "", ""]
    lines = {
        round(line.get_ydata()[0], 3) for line in figure.axes[0].lines if len(line.get_xdata())
    }
    assert lines == {2.0, 1.0}
    assert list(figure.axes[0].get_xticks()) == [0, 50, 100]
    assert list(figure.axes[3].get_xticks()) == [8, 16, 32]
    assert sweeps.draw(run, "overlap_50") is None


def test_experiments_that_differ_in_more_are_no_sweep(tmp_path):
    other = {"other": OVERLAPS["overlap_0"] | {"dataset": "lfw", "data": {"overlap": 0.2}}}
    two = {name: OVERLAPS[name] for name in ("overlap_0", "overlap_50")}
    assert sweeps.draw(run_of(tmp_path, two | other), "other") is None
