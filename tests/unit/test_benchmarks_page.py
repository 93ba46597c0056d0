"""The page of the benchmarks, from sample CSV files."""

import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks import page
from benchmarks.rows import (
    FIELDS,
    Case,
    limit_on,
    times_as_long,
    times_faster,
    verdicts,
    write_csv,
)


def row(wanted="", ratio=4.0, **facts):
    case = Case("training", "epoch", {"pixels": "8x8", "batch": 32}, wanted=wanted)
    return times_faster(case, [1.0, 1.0, 1.0], "plain loop", [ratio] * 3, **facts)


def growth_row(axis, size, seconds):
    case = Case("regrouping", f"growth with {axis}, worst case", {axis: size, "labels": 20})
    return times_as_long(case, [seconds], f"8 {axis}", [1.0], peak_gib=0.25)


@pytest.mark.parametrize("ratio, said", [(4.0, "reached"), (2.0, "**not reached**")])
def test_a_limit_on_a_ratio_is_held_against_the_row(ratio, said):
    assert verdicts(row("ratio>=3", ratio)) == f"ratio ≥ 3: {said}"


def test_a_limit_inside_the_interval_is_said_to_be():
    case = Case("pruning", "gates", {"batch": 32}, wanted="ratio<=1.15")
    measured = times_as_long(case, [1.0, 1.1, 1.3], "bare steps", [1.0] * 3)
    assert verdicts(measured) == "ratio ≤ 1.15: reached, but within the interval"


def test_every_limit_of_a_row_has_its_verdict():
    one = row("seconds<=0.5; peak_gib<=1; difference<=1e-5", peak_gib=0.75, difference=0.1)
    assert verdicts(one) == (
        "≤ 0.5 s: **not reached**; ≤ 1 GiB: reached; difference ≤ 1e-5: **not reached**"
    )
    assert limit_on(one, "peak_gib") == 1.0 and limit_on(one, "ratio") is None
    assert verdicts(row()) == ""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "performance"
    write_csv(folder / "training.csv", FIELDS, [row("ratio>=3"), row(ratio=0.5)])
    grown = [growth_row("neurons", size, size / 8) for size in (8, 16, 32)]
    write_csv(folder / "regrouping.csv", FIELDS, grown)
    known = [
        row(value=v, peer_value=0.3, true_value=0.2, difference=0.1, peer_difference=0.2)
        for v in (0.1, 0.2)
    ]
    known = [{**one, "size": "samples=16 distance=1"} for one in known]
    write_csv(folder / "information.csv", FIELDS, known)
    return folder


def page_of(folder):
    page.main(["--folder", str(folder)])
    return folder.with_suffix(".md").read_text(encoding="utf-8")


def test_the_page_shows_limits_tables_and_figures_of_what_was_measured(folder):
    text = page_of(folder)
    sections = [line for line in text.splitlines() if line.startswith("## ")]
    assert sections == ["## Regrouping", "## Training", "## Mutual information"]
    assert "ratio ≥ 3: reached |" in text
    assert "| epoch | plain loop | peer/ours |" in text and "0.5 [0.5, 0.5]" in text
    assert "[All rows](performance/training.csv)" in text
    assert "1 thread of torch" in text and "Throughout: pixels 8x8, batch 32." in text
    assert "Not measured yet: zipping, pruning, slicing, counting, commands." in text
    for name in ("regrouping_growth", "training_ratios", "information_values"):
        assert f"(performance/{name}.svg)" in text
        assert ElementTree.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")
    assert text == page_of(folder)


def test_of_what_has_no_limit_the_largest_is_shown(folder):
    text = page_of(folder)
    shown = [line for line in text.splitlines() if line.startswith("| growth with neurons")]
    assert len(shown) == 1 and "|      32 |" in shown[0]


def test_other_tables_and_whole_runs_have_a_place(folder):
    measured = {"merging": "pam", "combination": "A&B", "flops": 7, "backend": "torch"}
    latency = [{**measured, "batch_size": n, "median_ms": n / 2} for n in (64, 1)]
    write_csv(folder / "latency.csv", list(latency[0]), latency)
    write_csv(folder / "whole_runs.csv", ["rule", "wall"], [{"rule": "train", "wall": 12}])
    text = page_of(folder)
    assert "| flops | torch, batch 1 | torch, batch 64 |" in text and "whole_runs.svg" not in text
    assert "|     7 |            0.5 |            32.0 |" in text
    (folder / "whole_runs.svg").write_text("<svg/>", encoding="utf-8")
    text = page_of(folder)
    assert "## Whole runs\n" in text
    assert "\n![Whole runs](performance/whole_runs.svg)\n" in text
