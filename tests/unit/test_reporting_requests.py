"""Requests: means over all combinations of tasks, each as likely as it is asked for."""

import numpy as np
import pytest

from pam.reporting.aggregate import derive
from pam.reporting.storage import read_table, select
from tests.reporting_fixtures import FIVE_TASKS, write_run

NUMBERS = {1: 5, 2: 10, 3: 10, 4: 5, 5: 1}
AXES = {"mergings": ("none", "mtz", "pam"), "prunings": ("vibnet",), "tasks": FIVE_TASKS}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("five"), seeds=(0, 1), **AXES)


@pytest.fixture(scope="module")
def tables(run):
    matched, requests = (
        select(read_table(run, name), requirement="mean", delta=1.0)
        for name in ("matched", "requests")
    )
    matched["n_tasks"] = matched["combination"].str.count("&") + 1
    return matched, requests


def test_every_number_of_tasks_and_combination_is_there(tables):
    matched, requests = tables
    one = select(requests, merging="pam")
    sizes = one.dropna(subset="n_tasks")
    assert dict(zip(sizes["n_tasks"], sizes["combinations"], strict=True)) == NUMBERS
    assert list(one.loc[one["n_tasks"].isna(), "combinations"]) == [sum(NUMBERS.values())]
    assert select(matched, merging="pam")["n_tasks"].value_counts().to_dict() == NUMBERS


def test_the_size_of_all_tasks_is_their_one_combination(tables):
    columns = ["merging", "status", "n", "crossed"]
    columns += [name for name in tables[1] if name.startswith("flops") and "holm" not in name]
    one, other = (select(rows, n_tasks=5)[columns].reset_index(drop=True) for rows in tables)
    assert one.equals(other)


def test_one_seed_costs_the_mean_of_its_combinations(tmp_path):
    write_run(tmp_path, seeds=(0,), **AXES)
    matched, requests = (read_table(tmp_path, name) for name in ("matched", "requests"))
    assert set(requests["status"]) >= {"ok"}
    for row in select(requests, status="ok").to_dict("records"):
        every = select(matched, **{name: row[name] for name in ("requirement", "merging", "delta")})
        if not np.isnan(row["n_tasks"]):
            every = every[every["combination"].str.count("&") + 1 == row["n_tasks"]]
        assert row["flops_mean"] == pytest.approx(every["flops_mean"].mean(), abs=1)
        assert row["accuracy_mean"] == pytest.approx(every["accuracy_mean"].mean(), abs=2e-6)
        assert np.isnan([row["flops_low"], row["flops_vs_none_p"]]).all()


def test_two_seeds_have_a_range_and_their_ratio_is_paired(run, tables):
    _, requests = tables
    row = select(requests, merging="pam", n_tasks=1).iloc[0]
    # The ends are the two seeds, the mean lies between them in logarithms.
    for name in ("flops", "flops_vs_none"):
        middle = np.sqrt(row[f"{name}_low"] * row[f"{name}_high"])
        assert row[f"{name}_mean"] == pytest.approx(middle, rel=1e-3)
    assert row["flops_vs_none_p"] in (0.5, 1.0)


def test_requests_are_as_likely_as_the_configuration_says(run, tables, tmp_path):
    matched, equally = tables
    for path in run.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    derive(tmp_path, config={"requests": {"A": 1.0, "A&B&C&D&E": 1.0}})
    requests = select(read_table(tmp_path, "requests"), requirement="mean", delta=1.0)
    assert set(requests["n_tasks"].dropna()) == {1.0, 5.0}
    any_number = requests[requests["n_tasks"].isna()].set_index("merging")
    assert set(any_number["combinations"]) == {2}
    # Of networks that share everything all requests cost the same.
    assert any_number["flops_mean"]["mtz"] == select(equally, merging="mtz")["flops_mean"].iloc[0]
    ends = [select(matched, merging="none", combination=name) for name in ("A", "A&B&C&D&E")]
    low, high = (one["flops_mean"].item() for one in ends)
    assert low < any_number["flops_mean"]["none"] < high
    derive(tmp_path, config={"requests": {"X": 1.0}})
    again = select(read_table(tmp_path, "requests"), requirement="mean", delta=1.0)
    assert again.reset_index(drop=True).equals(equally.reset_index(drop=True))


def test_whole_frontiers_rest_on_no_single_delta(run):
    rows = read_table(run, "frontiers")
    assert set(rows["combination"]) >= {"", "A", "A&B&C&D&E"}
    itself = select(rows, merging="none")
    assert set(itself["flops_vs_none_mean"]) == {1.0}
    pam = select(rows, merging="pam", requirement="mean").set_index("combination")
    ratios = pam["flops_vs_none_mean"]
    assert ratios["A&B&C&D&E"] < ratios[""] < ratios["A"]


def test_a_merger_that_failed_at_one_seed_has_the_other(tmp_path):
    write_run(tmp_path, failed=("pam-vibnet-1",), seeds=(0, 1), **AXES)
    requests = select(read_table(tmp_path, "requests"), delta=1.0)
    assert set(select(requests, merging="pam")["n"]) == {1}
    assert set(select(requests, merging="mtz")["n"]) == {2}
    assert select(requests, merging="pam")["flops_low"].isna().all()


def test_a_ratio_is_one_of_all_seeds_of_its_row(tmp_path):
    write_run(tmp_path, failed=("none-vibnet-1",), seeds=(0, 1), **AXES)
    for name in ("requests", "matched", "frontiers"):
        pam = select(read_table(tmp_path, name), merging="pam", requirement="mean")
        assert set(pam["n"]) == {2} and pam["flops_vs_none_mean"].isna().all()
        assert pam["flops_vs_mtz_mean"].notna().any()
    assert set(read_table(tmp_path, "headline")["against"]) == {"mtz"}


def test_headline_of_five_tasks_names_the_best_combination(run, tables):
    matched, _ = tables
    headline = select(read_table(run, "headline"), merging="pam", delta=1.0).set_index("against")
    for reference in ("none", "mtz"):
        own = select(matched, merging="pam").set_index("combination")
        ratio = own[f"flops_vs_{reference}_mean"]
        assert headline["combination"][reference] == ratio.idxmin()
        assert headline["factor"][reference] == pytest.approx(1 / ratio.min(), rel=1e-3)
    # Separate networks waste most when all run, shared ones when few do.
    assert headline["combination"]["none"] == "A&B&C&D&E"
    assert "&" not in headline["combination"]["mtz"]
