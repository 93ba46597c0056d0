"""`pam check`: a run that is the same agrees, one that is not is told where it differs."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from pam.cli.main import main
from pam.reporting.run import Run
from pam.reporting.schema import MEASUREMENTS
from pam.reporting.statistics.check import (
    DIFFERENT,
    IDENTICAL,
    MISSING,
    NEW,
    NOT_TESTABLE,
    ON_PATH,
    SAME,
    Groups,
    Rows,
    check,
    corrected,
    smallest_found,
    welch,
)
from pam.reporting.storage import write_rows
from tests.examples import examples

LEVEL = 0.01
COMBINATIONS = ("A", "B", "A&B")
PRUNINGS = ("taylor", "vibnet")
SEEDS = range(4)


def row(pruning, combination, seed, accuracy, flops) -> dict:
    return dict.fromkeys(MEASUREMENTS.columns) | {
        **{"experiment": "tiny", "dataset": "digits", "architecture": "lenet5", "merging": "pam"},
        **{"pruning": pruning, "strength": 0.5, "seed": seed, "combination": combination},
        **{"n_tasks": combination.count("&") + 1, "status": "ok"},
        **{"accuracy": accuracy, "flops": flops, "macs": 1, "parameters": 1},
        **{"threads": 1, "device": "cpu"},
        **{"config_hash": "c", "code_hash": "k", "data_hash": "d"},
    }


def rows(draw: int, seeds=SEEDS) -> list[dict]:
    """Rows of a run whose cells scatter over seeds; runs of other draws scatter otherwise."""
    cells = list(product(PRUNINGS, COMBINATIONS, seeds))
    noise = np.random.default_rng([draw, 7]).standard_normal((len(cells), 2))
    return [
        row(*cell, round(0.9 + 0.01 * a, 6), round(1e6 * np.exp(0.1 * f)))
        for cell, (a, f) in zip(cells, noise, strict=True)
    ]


@pytest.fixture
def folders(tmp_path):
    def write(*runs: list[dict]):
        for name, made in zip(("run", "reference"), runs, strict=True):
            write_rows(tmp_path / name, MEASUREMENTS, made)
        return tmp_path / "run", tmp_path / "reference"

    return write


def test_an_identical_run_has_no_difference(folders):
    found = check(*folders(rows(0), rows(0)), LEVEL)
    assert found.agrees
    assert set(found.cells["verdict"]) == {IDENTICAL}
    count = len(PRUNINGS) * len(COMBINATIONS) * len(SEEDS)
    assert found.rows == Rows(count, count, count, 0, 0)


def test_a_shifted_cell_is_found_and_no_other(folders):
    shifted = [
        one | {"accuracy": one["accuracy"] - 0.2}
        if (one["pruning"], one["combination"]) == ("taylor", "A&B")
        else one
        for one in rows(1)
    ]
    found = check(*folders(shifted, rows(0)), LEVEL)
    different = found.of_verdict(DIFFERENT)
    told = different[["pruning", "combination", "quantity"]].values.tolist()
    assert told == [["taylor", "A&B", "accuracy"]]
    assert not found.agrees
    assert set(found.cells["verdict"]) == {SAME, DIFFERENT}


def test_costs_are_compared_by_their_logarithm(folders):
    doubled = [one | {"flops": 2 * one["flops"]} for one in rows(1)]
    different = check(*folders(doubled, rows(0)), LEVEL).of_verdict(DIFFERENT)
    assert set(different["quantity"]) == {"log_flops"}
    gap = different["mean_run"] - different["mean_reference"]
    assert gap.to_numpy() == pytest.approx(np.log(2), abs=0.3)


def test_statistics_are_those_of_the_seeds_that_succeeded(folders):
    made = rows(0)
    made[0] |= {"status": "diverged", "accuracy": None, "flops": None}
    cells = check(*folders(made, rows(1)), LEVEL).cells
    first = cells[(cells["pruning"] == "taylor") & (cells["combination"] == "A")]
    values = [one["accuracy"] for one in made[1 : len(SEEDS)]]
    accuracy = first[first["quantity"] == "accuracy"].iloc[0]
    assert (accuracy["n_run"], accuracy["n_reference"]) == (len(SEEDS) - 1, len(SEEDS))
    assert accuracy["mean_run"] == pytest.approx(np.mean(values))
    assert accuracy["sd_run"] == pytest.approx(np.std(values, ddof=1))
    others = [one["accuracy"] for one in rows(1)[: len(SEEDS)]]
    assert accuracy["p"] == pytest.approx(ttest_ind(values, others, equal_var=False).pvalue)


def test_missing_and_new_cells_are_named(folders):
    without = [one for one in rows(0) if one["pruning"] == "vibnet"]
    found = check(*folders(without, rows(0)), LEVEL)
    assert set(found.of_verdict(MISSING)["pruning"]) == {"taylor"}
    assert not found.agrees
    # What a run has besides is no failure to reproduce.
    found = check(*folders(rows(0), without), LEVEL)
    assert set(found.of_verdict(NEW)["pruning"]) == {"taylor"}
    assert found.agrees


def test_other_strengths_of_a_path_are_not_missing(folders, monkeypatch):
    """Of a path alone, and only if both sides have networks of it."""
    sections = {"tiny": {"pruning": {"taylor": {"path": {"start": 0.1}}, "vibnet": {}}}}
    monkeypatch.setattr(Run, "sections", sections)
    moved = [one | {"strength": 0.6} for one in rows(0)]
    found = check(*folders(moved, rows(0)), LEVEL)
    assert set(found.of_verdict(ON_PATH)["pruning"]) == {"taylor"}
    assert set(found.of_verdict(MISSING)["pruning"]) == {"vibnet"} and not found.agrees
    without = [one for one in moved if one["pruning"] == "vibnet"]
    assert "taylor" in set(check(*folders(without, rows(0)), LEVEL).of_verdict(MISSING)["pruning"])


def test_strengths_of_seeds_that_a_run_has_not_are_no_other_machines(folders, monkeypatch):
    sections = {"tiny": {"pruning": {name: {"path": {"start": 0.1}} for name in PRUNINGS}}}
    monkeypatch.setattr(Run, "sections", sections)
    reference = [one | {"strength": 0.5 + one["seed"]} for one in rows(0)]
    found = check(*folders([one for one in reference if one["seed"] == 2], reference), LEVEL)
    verdicts = found.cells.groupby("strength")["verdict"].agg(set).to_dict()
    assert verdicts == {at: {IDENTICAL if at == 2.5 else NOT_TESTABLE} for at in verdicts}


def test_one_seed_is_said_to_be_not_testable(folders, capsys):
    run, reference = folders(rows(0, seeds=[0]), rows(1))
    found = check(run, reference, LEVEL)
    assert set(found.cells["verdict"]) == {NOT_TESTABLE}
    assert found.cells["p"].isna().all()
    assert main(["check", "--results", str(run), "--reference", str(reference)]) == 0
    shown = capsys.readouterr().out
    assert "12 not testable: other values, and only one seed on a side" in shown
    assert shown.splitlines()[-1].startswith("Nothing could be tested with so few seeds")


def test_rows_of_the_same_origin_must_be_the_same(folders):
    other = rows(0)
    other[0] |= {"accuracy": 0.5}
    other[1] |= {"code_hash": "k2"}
    other[2] |= {"config_hash": "c2", "accuracy": 0.5}
    found = check(*folders(other, rows(0)), LEVEL).rows
    assert (found.common - found.identical, found.common - found.equal) == (3, 2)
    assert (found.unsteady, found.other_settings) == (1, 1)


def test_exit_codes_and_output(folders, tmp_path, capsys):
    same, reference = folders(rows(0), rows(0))
    words = ["check", "--results", str(same), "--reference", str(reference)]
    assert main([*words, "--out", str(tmp_path / "cells.csv")]) == 0
    shown = capsys.readouterr().out
    assert "byte-identical rows: 24 of 24" in shown
    assert shown.endswith("The run agrees with the reference.\n")
    written = pd.read_csv(tmp_path / "cells.csv")
    assert list(written["verdict"]) == [IDENTICAL] * 12

    folders([one | {"accuracy": one["accuracy"] - 0.2} for one in rows(1)][12:], rows(0))
    assert main(words) == 1
    shown = capsys.readouterr().out
    assert "Cells that differ: mean ± sd (n)" in shown
    assert "Missing cells" in shown
    assert shown.endswith("agree with the reference: 3 cells differ, 3 are missing.\n")


@pytest.mark.parametrize("level", ["0", "1", "-1", "x", "nan"])
def test_a_level_is_between_0_and_1(level, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["check", "--results", "a", "--reference", "b", f"--level={level}"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_or_damaged_file_is_one_sentence(folders, tmp_path, capsys):
    run, reference = folders(rows(0), rows(0))
    assert main(["check", "--results", str(run), "--reference", str(tmp_path / "none")]) == 2
    assert "none/measurements.csv does not exist" in capsys.readouterr().err
    (reference / "measurements.csv").write_text("a,b\n1,2\n")
    assert main(["check", "--results", str(run), "--reference", str(reference)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def groups(values: np.ndarray) -> Groups:
    """Statistics of (tests, n) values."""
    n = np.full(len(values), values.shape[1])
    return Groups(values.mean(axis=1), values.std(axis=1, ddof=1), n)


@pytest.mark.parametrize(("seeds", "least"), [(2, 0.01), (3, 0.03), (5, 0.04)])
def test_where_nothing_differs_the_level_holds(seeds, least):
    random = np.random.default_rng(seeds)
    runs, tests, level = 2000, 20, 0.05
    p = welch(*map(groups, random.standard_normal((2, runs * tests, seeds))))
    # Welch's test of few values is more careful than it says, never less.
    assert least < np.mean(p <= level) < 0.053
    named = [(corrected(one) <= level).any() for one in p.reshape(runs, tests)]
    assert np.mean(named) < level + 3 * np.sqrt(level / runs)


@examples(100)
@given(st.floats(0.1, 10), st.floats(0.1, 10), st.integers(2, 9), st.integers(2, 9))
def test_what_a_test_would_find_is_where_its_p_value_is_the_level(sd_a, sd_b, n_a, n_b):
    def group(mean, sd, n):
        return Groups(*(np.array([value], float) for value in (mean, sd, n)))

    one, other = group(0, sd_a, n_a), group(0, sd_b, n_b)
    away = smallest_found(one, other, 0.03)[0]
    assert welch(group(away, sd_a, n_a), other)[0] == pytest.approx(0.03, rel=1e-6)


def test_without_scatter_means_are_equal_or_not():
    still = Groups(np.array([1.0, 1.0]), np.zeros(2), np.array([3, 3]))
    other = Groups(np.array([1.0, 2.0]), np.zeros(2), np.array([3, 3]))
    assert welch(still, other).tolist() == [1.0, 0.0]


def test_what_is_no_test_stays_none():
    assert np.isnan(corrected(np.array([np.nan, np.nan]))).all()
    np.testing.assert_equal(corrected(np.array([0.01, np.nan, 0.5])), [0.02, np.nan, 0.5])
