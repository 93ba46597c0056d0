"""Relatedness and the two conditions: from rows to shares, losses and correlations."""

import numpy as np
import pandas as pd
import pytest

from pam.reporting.aggregate import aggregate
from pam.reporting.run import Run
from pam.reporting.statistics.analyses import (
    ALL_LAYERS,
    KEPT,
    PARTS,
    QUANTITIES,
    before_and_after,
    correlations,
    layers_of,
    removals,
    shares,
)
from pam.reporting.statistics.intervals import mean_interval
from pam.reporting.storage import select
from pam.reporting.tables.analyses import exclusivity, redundancy, relatedness
from tests import validation_fixtures as fixtures
from tests.reporting_fixtures import run_of
from tests.validation_fixtures import LAYERS, PAIRS, write_validation_records


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    aggregate(write_validation_records(folder), folder)
    return Run(folder)


def test_an_estimate_leaves_unknown_values_out():
    assert mean_interval([1.0, np.nan, 3.0])[:2] == (2, 2.0)
    assert mean_interval([np.nan]).n == 0


def test_experiments_without_measurements_are_known(run):
    assert run.experiments == ["fashion", "related"]


def test_shares_of_a_pair_add_up(run):
    found = shares(run, "related")
    assert layers_of(found) == [ALL_LAYERS, *LAYERS]
    total = found[found["part"].isin(PARTS)].groupby(["task_b", "layer"])["mean"].sum()
    assert np.allclose(total, 100)
    assert set(found["n"]) == {3}
    assert list(dict.fromkeys(found["task_b"])) == list(reversed(PAIRS))


def test_the_interval_of_a_share_is_one_of_shares(run):
    found = shares(run, "related")
    assert found["low"].min() == 0 and found["high"].max() == 100
    assert (found["mean"] <= found["high"]).all() and (found["mean"] >= found["low"]).all()


def test_all_layers_are_their_sum(run):
    rows = select(run.table("relatedness"), task_b="near")
    by_seed = rows.groupby("seed")[["shared", "neurons", "removed"]].sum()
    row = select(shares(run, "related"), task_b="near", layer=ALL_LAYERS).set_index("part")
    expected = 100 * (by_seed["shared"] / by_seed["neurons"]).mean()
    assert row["mean"]["shared"] == pytest.approx(expected)
    kept = 100 * (by_seed["shared"] / (by_seed["neurons"] - by_seed["removed"])).mean()
    assert row["mean"][KEPT] == pytest.approx(kept)


def test_failed_pairs_are_left_out(tmp_path):
    rows = fixtures.relatedness_record("related", 0)["rows"]["relatedness"]
    counts = ("neurons", "shared", "exclusive_a", "exclusive_b", "removed")
    broken = [row | dict.fromkeys(counts) | {"status": "diverged"} for row in rows[:3]]
    run = run_of(tmp_path, relatedness=[*broken, *rows[3:]])
    assert set(shares(run, "related")["task_b"]) == set(PAIRS) - {"identical"}
    assert "base, near" in relatedness(run, "related").to_markdown()


def test_the_most_and_the_least_pruned_networks_are_compared(run):
    rows = run.table("redundancy")
    third = rows[rows["strength"] == 2.0].assign(strength=1.0)
    mixed = before_and_after(pd.concat([third, rows]))
    assert set(select(mixed, stage="before")["strength"]) == {0.0}
    assert set(select(mixed, stage="after")["strength"]) == {2.0}


def test_correlations_are_means_over_seeds(run):
    place = {"pruning": "taylor", "merging": "pam", "layer": "f4"}
    found = select(correlations(run, "fashion"), **place, stage="after").set_index("quantity")
    rows = select(run.table("redundancy"), **place, strength=2.0)
    for quantity in QUANTITIES:
        assert found["mean"][quantity] == pytest.approx(rows[quantity].mean())
        assert found["n"][quantity] == 3


def test_the_operating_point_is_what_loses_neurons(tmp_path):
    rows = fixtures.exclusivity_record("fashion", "vibnet", 0)["rows"]["exclusivity"]
    every = [row | {"strength": strength} for strength in (0.5, 1.0, 2.0) for row in rows]
    point = {"experiment": "fashion", "pruning": "vibnet", "merging": "all_shared", "seed": 0}
    point |= {"delta": 1.0, "combination": "A&B"}
    for status, strengths, expected in (("ok", "1", 1.0), ("not reached", "", 0.5)):
        points = [point | {"status": status, "strengths": strengths}]
        run = run_of(tmp_path, exclusivity=every, operating_points=points)
        assert set(removals(run, "fashion")["strength"]) == {expected}


def test_losses_are_those_of_half_the_neurons(run):
    numbers = removals(run, "fashion")
    place = {"pruning": "taylor", "layer": "f4", "exclusive_to": "B"}
    rows = select(numbers, **place)
    half = rows.groupby("seed")["step"].max().min() // 2
    before, after = (
        select(rows, task="B", step=step).set_index("seed")["accuracy"] for step in (0, half)
    )
    (table,) = exclusivity(run, "fashion").tables
    row = next(row for row in table.rows if row[0].startswith("Taylor") and row[2:4] == ["f4", "B"])
    assert row[4:6] == ["3", f"{half:.0f}"]
    assert row[6].startswith(f"{100 * (before - after).mean():.1f} [")


@pytest.mark.parametrize("build", [relatedness, redundancy, exclusivity])
def test_no_rows_no_document(run, build):
    assert build(run, "another") is None
