"""``pam compare``: ratios to any merger."""

from math import isnan
from pathlib import Path

import pytest

from pam.cli.main import main
from pam.reporting.aggregate import aggregate
from pam.reporting.names import ANY_REQUEST, size_name
from pam.reporting.pages.beside import random_sentence
from pam.reporting.run import Run
from pam.reporting.statistics import settings
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.tables.against import against
from pam.reporting.tables.cell_text import interval
from pam.reporting.tables.comparison import comparison
from pam.reporting.tables.networks import operating_points
from tests.reporting_fixtures import FIVE_TASKS, write_records, write_run

REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "cifar10_pretrained"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(write_run(tmp_path_factory.mktemp("run"), prunings=("taylor",)))


def test_against_b1_they_are_those_of_the_csv_file(run):
    (table,) = against(run, "none", 1.0)
    matched = run.rows("matched", requirement="mean", delta=1)
    assert len(table.rows) == 4 * 4
    for _, tasks, merger, ratio, p, _ in table.rows:
        if tasks == ANY_REQUEST:
            continue
        names = matched["merging"].map(run.names.merging)
        row = matched[(matched["combination"] == tasks) & (names == merger)].iloc[0]
        mean, low, high = (row[f"flops_vs_none_{part}"] for part in ("mean", "low", "high"))
        assert ratio == f"{mean:.2f} [{low:.2f}, {high:.2f}]"
        assert p == f"{row['flops_vs_none_p']:.2g}"


def requested(run: Run) -> dict[str, str]:
    """Return the ratios of MTZ to B1 that stand in requests.csv."""
    rows = run.rows("requests", pruning="vibnet", merging="mtz", requirement="mean", delta=1)
    ends = [f"flops_vs_none_{part}" for part in ("mean", "low", "high")]
    return {
        "any request" if isnan(n) else size_name(n): f"{mean:.2f} [{low:.2f}, {high:.2f}]"
        for n, mean, low, high in rows[["n_tasks", *ends]].itertuples(index=False)
    }


def test_of_five_tasks_as_many_stand_together_as_in_the_csv_file():
    run = Run(REFERENCE)
    (table,) = against(run, "none", 1.0, pruning="vibnet")
    known = requested(run)
    assert {tasks: ratio for _, tasks, _, ratio, *_ in table.rows} == known and len(known) == 6


def test_requests_are_as_likely_as_the_profile_says(tmp_path):
    axes = {"mergings": ("none", "mtz"), "prunings": ("vibnet",), "tasks": FIVE_TASKS}
    config = {"requests": {"A": 3.0, "B": 1.0, "A&B&C&D&E": 1.0}}
    aggregate(write_records(tmp_path, **axes), tmp_path, config=config)
    run = Run(tmp_path)
    run.likely = config["requests"]
    (table,) = against(run, "none", 1.0)
    assert {tasks: ratio for _, tasks, _, ratio, *_ in table.rows} == requested(run)
    points = run.rows("operating_points", delta=1.0, merging="none", seed=0)
    flops = points.set_index("combination")["flops"]
    expected = 1e-6 * (3 * flops["A"] + flops["B"]) / 4
    rows = operating_points(run, "fashion").tables[0].rows
    assert float(rows[0][6]) == pytest.approx(expected, rel=0.01)
    (experiment,) = run.experiments
    words = "combinations, each combination as likely as the profile says."
    assert words in comparison(run, experiment).intro


def test_any_merger_may_count_as_one(run, capsys):
    assert main(["compare", "--results", str(run.folder), "--reference", "pam_gain"]) == 0
    assert "ratio of FLOPs to PAM gain" in capsys.readouterr().out
    (one,), (other,) = against(run, "pam", 1.0), against(run, "none", 1.0)
    there = {(row[1], row[2]): float(row[3].split()[0]) for row in other.rows}
    back = {(row[1], row[2]): float(row[3].split()[0]) for row in one.rows}
    for (tasks, merger), ratio in there.items():
        if merger == "PAM":
            assert back[tasks, "B1 none"] == pytest.approx(1 / ratio, rel=0.02)


def test_an_unknown_reference_is_named(run, capsys):
    assert main(["compare", "--results", str(run.folder), "--reference", "mine"]) == 2
    assert "no pruned networks of merging 'mine'; known: none, mtz" in capsys.readouterr().err


def test_a_ratio_of_what_is_only_bounded_is_a_bound(run):
    """So many points may be lost that every merger's cheapest network meets it."""
    (table,) = against(run, "none", 90.0)
    assert {ratio[0] + ratio[-1] for _, _, _, ratio, _, _ in table.rows} == {"()"}
    assert {p for *_, p, _ in table.rows} == {"—"}
    assert "both costs of the ratio are only upper bounds" in " ".join(table.notes)


def test_pam_is_set_against_random_groups_wherever_both_ran(tmp_path):
    axes = {"prunings": ("vibnet",), "seeds": tuple(range(6))}
    run = Run(write_run(tmp_path / "both", mergings=("none", "random", "pam"), **axes))
    without = Run(write_run(tmp_path / "without", mergings=("none", "pam"), **axes))
    told = [
        ratio
        for table in against(run, "random", DEFAULT_DELTA)
        for _, tasks, merging, ratio, *_ in table.rows
        if (tasks, merging) == (ANY_REQUEST, "PAM")
    ]
    ratios = settings.against_random([run, without])
    parts = ratios[["estimate", "low", "high"]].to_numpy()
    assert [interval(*row, ".2f") for row in parts] == told and len(told) == 1
    assert (ratios["high"] < 1).all()
    assert "less than they do in 1 of 1 settings and more in 0." in random_sentence([run, run])
    assert random_sentence([without]) == ""
