"""What came out of a run in words, and where its paths have gaps."""

import numpy as np
import pytest

from pam.reporting.run import Run
from pam.reporting.statistics.points import Networks, Part, gap_of, gap_rows, gap_sentence
from pam.reporting.statistics.pruning_path import fit_path
from pam.reporting.verdict import verdicts
from tests.reporting_fixtures import write_run

BOTH = frozenset({"A", "B"})


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(write_run(tmp_path_factory.mktemp("run"), prunings=("vibnet",)))


def test_the_cheapest_is_that_of_the_csv_file(run):
    (verdict,) = verdicts(run)
    assert verdict.title.startswith("LeNet-5 on Fashion-MNIST, VIBNet (P1), n = 3 seeds")
    assert list(verdict.answers) == ["1 task", "2 tasks", "any request"]
    rows = run.rows("requests", requirement="mean", delta=1)
    for size, answer in zip((1, 2, None), verdict.answers.values(), strict=True):
        asked = rows[rows["n_tasks"].isna() if size is None else rows["n_tasks"] == size]
        best = asked.loc[asked["flops_mean"].idxmin()]
        assert answer.startswith(f"{run.names.merging(best['merging'])}: ")
        assert f" {1e-6 * best['flops_mean']:#.3g} " in answer


@pytest.mark.parametrize(
    ("ends", "n", "says"),
    [
        ((0.5, 0.9), 3, "0.70 [0.50, 0.90] × B1"),
        ((0.5, 1.1), 3, "0.70 [0.50, 1.10] × B1, not told apart from it"),
        ((0.5, 0.9), 2, "0.70 [0.50, 0.90] × B1, too few seeds to tell (n = 2)"),
    ],
)
def test_words_of_judgement_follow_from_the_interval(run, ends, n, says):
    table = run.table("requests").copy()
    asked = (table["n_tasks"] == 2) & (table["delta"] == 1)
    asked &= table["requirement"] == "mean"
    table.loc[asked, "n"] = n
    table.loc[asked, "flops_mean"] = 9e9
    table.loc[asked & (table["merging"] == "mtz"), "flops_mean"] = 1e6
    ratio = [f"flops_vs_none_{part}" for part in ("mean", "low", "high")]
    table.loc[asked & (table["merging"] == "mtz"), ratio] = [0.7, *ends]
    other = Run(run.folder)
    other._tables["requests"] = table
    answer = verdicts(other)[0].answers["2 tasks"]
    assert answer.startswith("B2 MTZ: 1.00 [")
    assert answer.endswith(f"; {says}")


def _networks(costs, drops) -> Networks:
    costs, drops = np.array(costs), np.array([drops, drops])
    part = Part(("A", "B"), costs, drops, 1 - drops / 100, {"flops": {BOTH: costs}})
    return Networks("e", "vibnet", ["A&B"], {"pam": {0: [part]}})


def test_a_jump_from_unpruned_to_useless_is_told():
    (gap,) = gap_rows([_networks([9e6, 8e6, 1e6, 0.9e6], [0, 0.2, 30, 31])], [1.0])
    assert (gap["above"], gap["below"]) == (pytest.approx(8e6), pytest.approx(1e6))
    assert gap_sentence("PAM", gap).startswith("PAM: no network between 8 and 1 MFLOPs (tasks A&B")


@pytest.mark.parametrize(
    ("costs", "drops"),
    [
        ([9e6, 7e6, 5e6], [0, 0.9, 1.1]),  # a step of less than two
        ([9e6, 1e6], [0, 0.5]),  # every network is within delta
        ([9e6, 1e6], [3, 5]),  # none is
    ],
)
def test_a_path_that_is_no_guess_has_no_gap(costs, drops):
    assert list(gap_rows([_networks(costs, drops)], [1.0])) == []


def test_the_gap_is_where_the_fit_crosses():
    costs = np.array([8e6, 4e6, 2e6, 1e6])
    path = fit_path(["A"], {frozenset("A"): costs}, np.array([[0, 2, 0.5, 9]]), np.ones((1, 4)))
    # 2 and 0.5 are out of order: the fit has 1.25 for both.
    assert gap_of(path, 1.0) == pytest.approx({"above": 8e6, "below": 4e6, "drop": 1.25})
