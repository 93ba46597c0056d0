"""Five tasks: means over all combinations of as many, with the same draws of seeds."""

import numpy as np
import pytest

from pam.reporting.aggregate import aggregate
from pam.reporting.run import Run
from pam.reporting.statistics.curves import families
from pam.reporting.statistics.matched import Matches
from pam.reporting.storage import read_table, select
from tests.reporting_fixtures import FIVE_TASKS, fail, write_records

MERGINGS = ("none", "mtz", "pam")
NUMBERS = {1: 5, 2: 10, 3: 10, 4: 5, 5: 1}


def records_of(folder):
    axes = {"mergings": MERGINGS, "prunings": ("vibnet",), "seeds": (0, 1)}
    return write_records(folder, tasks=FIVE_TASKS, **axes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("five")
    aggregate(records_of(folder), folder)
    return folder


@pytest.fixture(scope="module")
def tables(run):
    matched, sizes = (read_table(run, name) for name in ("matched", "matched_sizes"))
    matched["n_tasks"] = matched["combination"].str.count("&") + 1
    return matched, sizes


def test_every_number_of_tasks_and_combination_is_there(tables):
    matched, sizes = tables
    one = select(sizes, merging="pam", delta=1.0)
    assert dict(zip(one["n_tasks"], one["combinations"], strict=True)) == NUMBERS
    assert select(matched, merging="pam", delta=1.0)["n_tasks"].value_counts().to_dict() == NUMBERS


def test_a_size_costs_the_mean_of_its_combinations(tables):
    matched, sizes = tables
    for row in select(sizes, status="ok").to_dict("records"):
        axes = {name: row[name] for name in ("merging", "delta", "n_tasks")}
        every = select(matched, **axes)
        assert row["flops_mean"] == pytest.approx(every["flops_mean"].mean(), abs=1)
        assert row["accuracy_mean"] == pytest.approx(every["accuracy_mean"].mean(), abs=2e-6)


def test_the_size_of_all_tasks_is_their_one_combination(tables):
    shared = ["merging", "delta", "status", "n", *(c for c in tables[1] if c.startswith("flops"))]
    one, other = (select(rows, n_tasks=5)[shared].reset_index(drop=True) for rows in tables)
    assert one.equals(other)


def test_a_ratio_is_one_of_mean_costs(tables):
    _, sizes = tables
    for number in NUMBERS:
        cost = select(sizes, n_tasks=number, delta=1.0).set_index("merging")
        for reference in ("none", "mtz"):
            ratio = cost["flops_mean"]["pam"] / cost["flops_mean"][reference]
            assert cost[f"flops_vs_{reference}_mean"]["pam"] == pytest.approx(ratio, abs=1e-4)


def test_the_interval_is_that_of_paired_draws(run):
    """The mean of two combinations, draw by draw, against the draws of each."""
    _, _, family = families(Run(run))[0]
    matches = Matches("fashion", "vibnet", family)
    one, other = (matches.match("pam", [name], [0.0, 1.0], 1.0).flops for name in ("A", "B"))
    row = matches.row("pam", ["A", "B"], 1.0)
    draws = (one[1:] + other[1:]) / 2
    assert (row["flops_low"], row["flops_high"]) == (np.min(draws), np.max(draws))


def test_a_merger_that_failed_at_one_seed_has_the_other(tmp_path):
    records = records_of(tmp_path)
    fail(tmp_path / "measured" / "fashion" / "pam-vibnet-1.json")
    aggregate(records, tmp_path)
    sizes = select(read_table(tmp_path, "matched_sizes"), delta=1.0)
    assert set(select(sizes, merging="pam")["n"]) == {1}
    assert set(select(sizes, merging="mtz")["n"]) == {2}
    assert select(sizes, merging="pam")["flops_low"].isna().all()


def test_headline_of_five_tasks_names_the_best_combination(run, tables):
    matched, _ = tables
    headline = select(read_table(run, "headline"), merging="pam", delta=1.0).set_index("against")
    for reference in ("none", "mtz"):
        own = select(matched, merging="pam", delta=1.0).set_index("combination")
        ratio = own[f"flops_vs_{reference}_mean"]
        assert headline["combination"][reference] == ratio.idxmin()
        assert headline["factor"][reference] == pytest.approx(1 / ratio.min(), rel=1e-3)
    # Separate networks waste most when all run, shared ones when few do.
    assert headline["combination"]["none"] == "A&B&C&D&E"
    assert "&" not in headline["combination"]["mtz"]
