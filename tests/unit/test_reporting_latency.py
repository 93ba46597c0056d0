"""Time beside FLOPs: figure and table from CSV files alone."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pam.reporting.figures import latency as figure
from pam.reporting.figures import render_figures, style
from pam.reporting.run import Run
from pam.reporting.schema import LATENCY
from pam.reporting.statistics.intervals import ratio_interval
from pam.reporting.statistics.latency import is_unsteady, matched_times, timed_networks
from pam.reporting.statistics.operating_points import parts_of, strength_of
from pam.reporting.storage import read_table, select, write_rows
from pam.reporting.tables import render_tables
from tests.reporting_fixtures import FIVE_TASKS, write_run

AXES = {"mergings": ("none", "mtz", "pam"), "prunings": ("vibnet",)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"), **AXES)


@pytest.fixture(scope="module")
def table(run):
    render_tables(run)
    return pd.read_csv(run / "tables" / "latency.csv"), (run / "tables" / "latency.md").read_text()


def with_rows(run, folder, change):
    """A copy of a run whose rows of latency.csv went through ``change``."""
    for path in run.glob("*.csv"):
        (folder / path.name).write_bytes(path.read_bytes())
    write_rows(folder, LATENCY, change(read_table(run, "latency")).to_dict("records"))
    return folder


def further_settings(rows):
    """The same at another batch size, and both with a second backend, twice as fast."""
    rows = pd.concat([rows, rows.assign(batch_size=64, median_ms=10 * rows["median_ms"])])
    return pd.concat([rows, rows.assign(backend="onnxruntime", median_ms=rows["median_ms"] / 2)])


def test_strengths_of_parts_and_of_groups():
    assert parts_of("A&B", "0.5") == [("A&B", 0.5)]
    assert parts_of("A&B", "A: 0.5, B: 1e-05") == [("A", 0.5), ("B", 1e-5)]
    assert parts_of("A&B&C", "A&C: 2, B: 1") == [("A&C", 2.0), ("B", 1.0)]
    assert strength_of("shared", "0.5") == 0.5
    assert strength_of("B", "A: 0.5, B: 1") == 1.0
    assert strength_of("A&C", "A&C: 2, B: 1") == 2.0
    assert strength_of("A", "A&C: 2, B: 1") == 2.0


def test_times_have_the_flops_of_what_was_timed(run):
    timed = timed_networks(Run(run), "fashion")
    assert len(timed) == len(read_table(run, "latency"))
    # What the fixture makes of FLOPs.
    np.testing.assert_allclose(timed["median_ms"], 0.2 + timed["flops"] / 4e7, atol=1e-4)
    assert set(timed["n_tasks"]) == {1, 2}


def test_times_of_networks_that_share_nothing_add_up(run):
    points = read_table(run, "operating_points")
    point = select(points, merging="none", seed=0, delta=1.0, combination="A&B").iloc[0]
    measured = read_table(run, "latency")
    parts = [
        select(measured, merging="none", seed=0, combination=task)
        for task, _ in parts_of("A&B", point["strengths"])
    ]
    wanted = sum(
        one.loc[np.isclose(one["strength"], strength), "median_ms"].item()
        for one, (_, strength) in zip(parts, parts_of("A&B", point["strengths"]), strict=True)
    )
    times = matched_times(Run(run), "fashion")
    found = select(times, merging="none", seed=0, combination="A&B")
    assert (found["time"].item(), found["flops"].item()) == (wanted, point["flops"])
    together = select(times, merging="pam", seed=0, combination="A&B")
    assert len(together) == 1


def test_speed_ups_are_paired_by_seed(run, table):
    numbers = table[0].set_index(["merging", "combination"])
    times = matched_times(Run(run), "fashion").set_index(["merging", "combination", "seed"])
    own, base = (times.sort_index().loc[name, "A&B"] for name in ("pam", "none"))
    for cost in ("time", "flops"):
        row = numbers.loc["pam", "A&B"]
        logs = np.log(base[cost] / own[cost])
        wanted = [logs.mean(), *stats.ttest_1samp(logs, 0).confidence_interval(0.95)]
        found = [row[f"{cost}_vs_none_{part}"] for part in ("mean", "low", "high")]
        assert found == pytest.approx(list(np.exp(wanted)), abs=1e-4)
    assert numbers.loc["pam", "A&B"]["n"] == 3
    assert (numbers.xs("none")["time_vs_none_high"] == 1).all()
    assert (numbers.xs("mtz")["flops_vs_mtz_low"] == 1).all()


def test_the_table_says_what_it_shows(table):
    text = table[1]
    assert "time at matched accuracy" in text and "n = 3 seeds" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[0].split(" | ")[-1].startswith("time: × less than B2")
    assert len(rows) - 2 == 3 * 3


def test_ratios_are_of_common_seeds_only():
    above, below = pd.Series({0: 4.0, 1: 16.0, 2: 100.0}), pd.Series({1: 2.0, 0: 2.0, 3: 1.0})
    assert ratio_interval(above, below) == pytest.approx((2, 4.0, 2.0, 8.0))
    assert ratio_interval(pd.Series({0: 4.0}), below)[:2] == pytest.approx((1, 2.0))
    assert ratio_interval(pd.Series({5: 1.0}), below).n == 0


def test_more_than_two_tasks_are_summed_up_by_how_many_run(tmp_path):
    run = write_run(tmp_path, seeds=(0,), tasks=FIVE_TASKS[:3], **AXES)
    render_tables(run)
    text = (run / "tables" / "latency.md").read_text()
    assert "3 tasks" in text and "A&B" not in text
    numbers = pd.read_csv(run / "tables" / "latency.csv")
    assert len(numbers) == 7 * 3


def test_settings_have_rows_and_panels_of_their_own(run, tmp_path):
    folder = with_rows(run, tmp_path, further_settings)
    render_tables(folder)
    numbers = pd.read_csv(folder / "tables" / "latency.csv")
    assert len(numbers) == 4 * 9
    same = numbers.groupby(["merging", "combination"])["time_vs_none_mean"]
    assert (same.max() - same.min()).max() < 1e-3
    with style.house_style():
        panels = figure.draw(Run(folder), "fashion").axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["single images", "batch of 64", *[""] * 6]
    runners = [
        "PyTorch, 1 task",
        "PyTorch, 2 tasks",
        "ONNX Runtime, 1 task",
        "ONNX Runtime, 2 tasks",
    ]
    labels = [axes.get_ylabel() for axes in panels]
    assert labels[1::2] == [""] * 4
    assert labels[::2] == [f"{runner}\ntime of one pass (ms)" for runner in runners]
    assert all(len(axes.collections) for axes in panels)


def test_a_panel_holds_networks_of_its_number_of_tasks_and_has_the_same_bytes_every_time(
    run, tmp_path
):
    with style.house_style():
        panels = figure.draw(Run(run), "fashion").axes
    timed = pd.read_csv(run / "latency.csv")
    numbers = timed["combination"].str.count("&")
    assert numbers.nunique() == len(panels) == 2
    assert [axes.get_title(loc="left") for axes in panels] == ["single images", ""]
    for axes, number in zip(panels, [0, 1], strict=True):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        faint = axes.collections[0].get_offsets()
        assert len(faint) == (numbers == number).sum()
        assert sorted(faint[:, 1]) == pytest.approx(sorted(timed["median_ms"][numbers == number]))
    drawn = [render_figures(run, tmp_path / name, only=["latency"]) for name in "ab"]
    one, other = ([path.read_bytes() for path in paths] for paths in drawn)
    assert one == other and len(one) == 2


def test_a_network_that_was_not_timed_is_a_dash_with_its_own_sign(run, tmp_path):
    folder = with_rows(run, tmp_path, lambda rows: rows[rows["merging"] != "mtz"])
    render_tables(folder)
    text = (folder / "tables" / "latency.md").read_text()
    assert "—‡" in text and "‡ failed or not measured" in text and "—†" not in text


def test_without_timings_there_is_neither_figure_nor_table(run, tmp_path):
    folder = with_rows(run, tmp_path, lambda rows: rows[:0])
    assert "latency" not in {path.stem for path in render_tables(folder)}
    with pytest.warns(UserWarning, match="no data for figure 'latency'"):
        assert render_figures(folder, tmp_path / "figures", only=["latency"]) == []


def test_times_that_cannot_be_trusted_are_not_compared(run, table, tmp_path):
    """One backend's slowest rounds take twice the median: no ratio of its times is shown."""

    def change(rows):
        noisy = rows.assign(backend="onnxruntime", high_ms=2 * rows["median_ms"])
        return pd.concat([rows, noisy])

    folder = with_rows(run, tmp_path, change)
    render_tables(folder)
    text = (folder / "tables" / "latency.md").read_text(encoding="utf-8")
    assert "§" not in table[1]
    # Of one of two backends: both ratios of time of every merger and combination.
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert text.count("—§") == len(rows) // 2 * 2
    assert "§ not to be trusted: in half of all cases" in text
    steady, noisy = figure.notes(Run(run), "fashion"), figure.notes(Run(folder), "fashion")
    assert len(steady) == 1
    assert "not to be trusted" in noisy[1]


def test_jobs_that_time_equal_networks_differently_are_not_trusted(run):
    timed = timed_networks(Run(run), "fashion")
    unpruned = timed.assign(strength=0.0, flops=1000, high_ms=timed["median_ms"])
    equal = unpruned.assign(median_ms=1.0, high_ms=1.0)
    slow = equal["seed"].map({0: 1.0, 1: 2.0}).fillna(1.0)
    assert not is_unsteady(equal)
    assert is_unsteady(equal.assign(median_ms=slow, high_ms=slow))
