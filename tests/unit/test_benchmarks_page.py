"""The page of the benchmarks, from sample CSV files."""

import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks import page
from benchmarks.limits import limit_on, verdicts
from benchmarks.rows import FIELDS, Case, times_as_long, times_faster, write_csv


def row(wanted="", ratio=4.0, **facts):
    case = Case("training", "epoch", {"pixels": "8x8", "batch": 32}, wanted=wanted)
    return times_faster(case, [1.0, 1.0, 1.0], "plain loop", [ratio] * 3, **facts)


def growth_row(axis, size, seconds):
    case = Case("regrouping", f"growth with {axis}, worst case", {axis: size, "labels": 20})
    return times_as_long(case, [seconds], f"8 {axis}", [1.0], peak_gib=0.25)


@pytest.mark.parametrize("ratio, said", [(4.0, "reached"), (2.0, "**not reached**")])
def test_a_limit_on_a_ratio_is_held_against_the_row(ratio, said):
    (sentence,) = verdicts(row("ratio>=3", ratio))
    assert sentence == (
        "epoch (pixels=8x8 batch=32): wanted plain loop to take at least 3 times as long as ours, "
        f"measured {ratio:g} [{ratio:g}, {ratio:g}], n = 3: {said}."
    )


def test_a_limit_inside_the_interval_is_said_to_be():
    case = Case("pruning", "gates", {"batch": 32}, wanted="ratio<=1.15")
    (sentence,) = verdicts(times_as_long(case, [1.0, 1.1, 1.3], "bare steps", [1.0] * 3))
    assert "wanted ours to take at most 1.15 times as long as bare steps" in sentence
    assert sentence.endswith("reached, though the interval holds both sides of the limit.")


def test_every_limit_of_a_row_has_its_sentence():
    one = row("seconds<=0.5; peak_gib<=1; difference<=1e-5", peak_gib=0.75, difference=0.1)
    seconds, memory, difference = verdicts(one)
    assert seconds.endswith("wanted at most 0.5 s, measured 1: **not reached**.")
    assert memory.endswith("at most 1 GiB of memory at the peak, measured 0.75: reached.")
    assert difference.endswith("a difference of at most 1e-5, measured 0.1: **not reached**.")
    assert limit_on(one, "peak_gib") == 1.0 and limit_on(one, "ratio") is None
    assert verdicts(row()) == []


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
    assert "measured 4 [4, 4], n = 3: reached." in text
    assert "| epoch | plain loop | peer/ours |" in text and "0.5 [0.5, 0.5]" in text
    assert "1 thread of torch" in text and "Throughout: pixels 8x8, batch 32." in text
    assert "Not measured yet: zipping, pruning, slicing, counting, commands." in text
    for name in ("regrouping_growth", "training_ratios", "information_values"):
        assert f"(performance/{name}.svg)" in text
        assert ElementTree.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")
    assert text == page_of(folder)


def test_other_tables_and_whole_runs_have_a_place(folder):
    write_csv(folder / "latency.csv", ["combination", "median_ms"], [{"combination": "A&B"}])
    write_csv(folder / "whole_runs.csv", ["rule", "wall"], [{"rule": "train", "wall": 12}])
    text = page_of(folder)
    assert "| A&B " in text and "whole_runs.svg" not in text
    (folder / "whole_runs.svg").write_text("<svg/>", encoding="utf-8")
    text = page_of(folder)
    assert "## Whole runs\n" in text
    assert "\n![Whole runs](performance/whole_runs.svg)\n" in text
