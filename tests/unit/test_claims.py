"""Verdicts on the claims of the paper, and the cheapest row, from made-up CSV files."""

import math

import pytest

from pam.reporting.pages.claims import Claim, other_claims, ratio_claims
from pam.reporting.pages.requests import cheapest, requests_part, winner_sentences
from pam.reporting.run import Run
from pam.reporting.statistics.claims import (
    CORRELATION_MARGIN,
    FAILS,
    HOLDS,
    LEANS,
    NOT,
    NOT_TESTED,
    PARTLY,
    REPRODUCED,
    TOO_FEW,
    below,
    equal,
    exclusive_neurons,
    largest_factor,
    sharing,
    surviving_redundancy,
    verdict,
)
from pam.reporting.statistics.intervals import Estimate
from pam.reporting.statistics.standings import overall_standings, standings
from tests.reporting_fixtures import run_of, write_run

E = "fashion"
CELL = {"experiment": E, "dataset": "fashion_mnist", "architecture": "lenet5", "status": "ok"}
CELL |= {"threads": 1, "device": "cpu", "config_hash": "a", "code_hash": "b", "data_hash": "c"}


def compared(merging, tasks, delta=1.0, n=6, status="ok", pruning="vibnet", **ratios):
    """A row of matched.csv; ratios to B1 (none) and B2 (mtz) are (mean, low, high, p)."""
    row = {"experiment": E, "pruning": pruning, "requirement": "mean", "delta": delta}
    row |= {"merging": merging, "combination": tasks, "status": status, "n": n, "crossed": n}
    for reference, values in ratios.items():
        named = zip(("mean", "low", "high", "p"), values, strict=True)
        row |= {f"flops_vs_{reference}_{end}": value for end, value in named}
    return row


CHEAPER, SAME, DEARER = (0.8, 0.7, 0.9, 0.03), (1.0, 0.95, 1.05, 0.9), (1.4, 1.2, 1.6, 0.03)
UNSURE, WIDE = (0.8, 0.5, 1.3, 0.4), (1.02, 0.8, 1.3, 0.9)


def verdicts(tmp_path, together, alone, beside=SAME, **cell):
    """The verdicts on the three claims about ratios; one task costs the same ratio for both."""
    rows = [compared(merging, tasks) for merging in ("none", "mtz") for tasks in ("A", "B", "A&B")]
    rows.append(compared("pam", "A&B", none=together, mtz=beside, **cell))
    rows += [compared("pam", task, none=alone, mtz=beside, **cell) for task in "AB"]
    claims = ratio_claims([(run_of(tmp_path, matched=rows), E)])
    return [verdict(claim.evidence) for claim in claims]


@pytest.mark.parametrize(
    ("together", "alone", "beside", "expected"),
    [
        (CHEAPER, SAME, CHEAPER, [REPRODUCED, REPRODUCED, REPRODUCED]),
        (UNSURE, WIDE, UNSURE, [PARTLY, PARTLY, PARTLY]),
        (DEARER, DEARER, DEARER, [NOT, NOT, NOT]),
        # Below 1 with its interval, but not by the test; cheaper is not equal.
        ((0.8, 0.7, 0.9, 0.06), CHEAPER, WIDE, [PARTLY, NOT, NOT]),
    ],
)
def test_ratios_decide(tmp_path, together, alone, beside, expected):
    assert verdicts(tmp_path, together, alone, beside) == expected


def test_few_seeds_decide_nothing(tmp_path):
    assert verdicts(tmp_path, CHEAPER, SAME, CHEAPER, n=5) == [TOO_FEW] * 3


def test_what_was_not_run_is_not_tested(tmp_path):
    run = run_of(tmp_path)
    every = [*ratio_claims([(run, E)]), *other_claims([(run, E)])]
    assert len(every) == 8
    assert {verdict(claim.evidence) for claim in every} == {NOT_TESTED}


def test_every_delta_and_pruning_scheme_of_the_paper_counts(tmp_path):
    def told(**other):
        rows = [compared("none", "A&B"), compared("pam", "A&B", none=CHEAPER)]
        rows += [compared("none", "A&B", **other), compared("pam", "A&B", none=DEARER, **other)]
        return verdict(ratio_claims([(run_of(tmp_path, matched=rows), E)])[0].evidence)

    assert told(delta=0.5) == PARTLY
    assert told(pruning="taylor") == PARTLY
    # A control, and a rehearsal of few seeds beside the real run.
    assert told(pruning="l1") == REPRODUCED
    assert told(delta=0.5, n=2) == REPRODUCED


def test_a_merger_that_never_comes_so_close_fails_and_a_bound_says_nothing(tmp_path):
    nothing = (None,) * 4
    assert verdicts(tmp_path, nothing, nothing, nothing, status="not reached") == [NOT] * 3
    assert verdicts(tmp_path, CHEAPER, SAME, CHEAPER, status="bound") == [NOT_TESTED] * 3


def test_the_least_favourable_ratio_is_shown(tmp_path):
    rows = [compared("mtz", task) for task in "AB"]
    rows += [compared("pam", "A", mtz=CHEAPER), compared("pam", "B", mtz=DEARER)]
    claim = ratio_claims([(run_of(tmp_path, matched=rows), E)])[2]
    _, told, _, shown, where, *_, holds = claim.row()
    assert (told, shown, holds) == (PARTLY, "1.40 [1.20, 1.60]", "1 of 2")
    assert where.startswith("B, VIBNet (P1), δ 1")


FACTOR = {"experiment": E, "against": "none", "merging": "pam", "pruning": "vibnet", "n": 6}
FACTOR |= {"combination": "A&B", "delta": 1, "status": "ok", "paper": 4.87, "p": 0.03}


@pytest.mark.parametrize(
    ("factor", "low", "high", "expected"),
    [(5.1, 3.0, 8.0, HOLDS), (4.0, 3.0, 5.0, LEANS), (2.0, 1.5, 2.6, FAILS), (6, 0.9, 9, LEANS)],
)
def test_the_largest_factor_is_held_against_the_papers(tmp_path, factor, low, high, expected):
    """Of the paper's pruners at any settings, of no other pruner."""
    largest = FACTOR | {"pruning": "vibnet_slow", "factor": factor, "low": low, "high": high}
    smaller = FACTOR | {"pruning": "taylor", "factor": 1.1, "low": 1.0, "high": 1.2}
    other = FACTOR | {"pruning": "vibnet_readers", "factor": 20.0, "low": 9.0, "high": 40.0}
    run = run_of(tmp_path, headline=[largest, smaller, other])
    (one,) = largest_factor([(run, E)], "none", 1.0)
    assert (one.estimate.mean, one.outcome) == (factor, expected)


@pytest.mark.parametrize("others", [[], [FACTOR | {"factor": 2.0, "low": 1.5, "high": 2.6}]])
def test_a_factor_of_few_seeds_counts_only_where_there_is_no_other(tmp_path, others):
    few = FACTOR | {"pruning": "taylor", "n": 4, "factor": 9.0, "low": 8.0, "high": 10.0}
    (one,) = largest_factor([(run_of(tmp_path, headline=[few, *others]), E)], "none", 1.0)
    assert one.estimate.n == (6 if others else 4)


@pytest.mark.parametrize(("shares", "outcome"), [((2, 5, 9), HOLDS), ((9, 5, 2), FAILS)])
def test_sharing_follows_relatedness(tmp_path, shares, outcome):
    rows = [
        CELL
        | {"merging": "pam", "seed": seed, "task_a": "A", "task_b": f"B{shared}", "layer": layer}
        | {"label_information_nats": information, "neurons": 12, "shared": shared + seed % 2}
        | {"exclusive_a": 1, "exclusive_b": 0, "removed": 2}
        for seed in range(6)
        for information, shared in enumerate(shares)
        for layer in ("c1", "c2")
    ]
    (one,) = sharing([(run_of(tmp_path, relatedness=rows), E)])
    assert one.outcome == outcome
    assert one.estimate[:2] == (6, pytest.approx(1 if outcome == HOLDS else -1))


@pytest.mark.parametrize(("own", "other", "outcome"), [(0.3, 0.1, HOLDS), (0.1, 0.1, FAILS)])
def test_neurons_of_one_task(tmp_path, own, other, outcome):
    cell = CELL | {"merging": "all_shared", "pruning": "vibnet", "strength": 1, "layer": "f4"}
    rows = [
        cell
        | {"seed": seed, "exclusive_to": favourite, "step": step, "neuron": step or None}
        | {"task": task, "accuracy": 0.9 - (own if task == favourite else other) * step / 2}
        for seed in range(6)
        for favourite in "AB"
        for task in "AB"
        for step in range(3)
    ]
    (one,) = exclusive_neurons([(run_of(tmp_path, exclusivity=rows), E)])
    # Mean of one and of two neurons removed: three quarters of the loss of two.
    assert one.estimate.mean == pytest.approx(75 * (own - other))
    assert one.outcome == outcome


@pytest.mark.parametrize(("after", "outcome"), [(0.6, HOLDS), (0.2, FAILS)])
def test_redundancy_that_pruning_leaves(tmp_path, after, outcome):
    cell = CELL | {"merging": "pam", "pruning": "vibnet", "layer": "f4"}
    cell |= {"task_a": "A", "task_b": "B", "mean_max_correlation": 0.3}
    rows = [
        cell | {"seed": seed, "strength": strength, "max_correlation": value + 0.01 * seed}
        for seed in range(6)
        for strength, value in ((0, 0.6), (1, 0.9), (2, after))
    ]
    (one,) = surviving_redundancy([(run_of(tmp_path, redundancy=rows), E)])
    assert one.estimate.mean == pytest.approx(after - 0.6) and one.outcome == outcome
    assert (one.estimate.mean > -CORRELATION_MARGIN) == (outcome == HOLDS)


def test_nothing_is_not_below_or_equal():
    nothing = Estimate(6, math.nan, math.nan, math.nan)
    assert {test(nothing, math.nan) for test in (below, equal)} == {FAILS}
    assert verdict([]) == NOT_TESTED and Claim("", "", []).row()[1] == NOT_TESTED


@pytest.fixture(scope="module")
def two_rows(tmp_path_factory):
    axes = {"mergings": ("none", "all_shared", "pam"), "prunings": ("vibnet",)}
    return Run(write_run(tmp_path_factory.mktemp("requests"), seeds=tuple(range(6)), **axes))


def test_standings_agree_with_the_ratios_of_requests(two_rows):
    (ranked,) = standings(two_rows, E, 1.0).values()
    costs = two_rows.rows("requests", requirement="mean", delta=1.0)
    costs = costs[costs["n_tasks"].isna()].set_index("merging")
    assert [one.cost for one in ranked] == pytest.approx(sorted(costs["flops_mean"]), rel=1e-6)
    first, none = ranked[0], next(one for one in ranked if one.merging == "none")
    known = costs.loc[first.merging, [f"flops_vs_none_{end}" for end in ("mean", "low", "high")]]
    assert first.merging != "none"
    assert list(none.ratio[1:]) == pytest.approx(list(known), abs=1e-4)
    assert none.p == pytest.approx(costs.loc[first.merging, "flops_vs_none_p"], abs=1e-6)


def test_rows_that_are_not_told_apart_are_named(two_rows):
    sentence, table = requests_part(two_rows, E)
    (ranked,) = standings(two_rows, E, 1.0).values()
    assert f"the cheapest row is {two_rows.names.merging(ranked[0].merging)}" in sentence
    level = [one for one in ranked[1:] if not one.differs]
    assert ("not told apart" in sentence) == bool(level)
    assert table.count("costs more |") == len(ranked) - 1 - len(level)


def test_a_row_that_stands_alone_is_not_called_cheapest(two_rows):
    (ranked,) = standings(two_rows, E, 1.0).values()
    assert "cheapest" not in cheapest(two_rows, "vibnet", ranked[:1])


def test_the_cheapest_row_of_all_pruners_is_set_against_the_first_of_each(tmp_path):
    axes = {"mergings": ("none", "pam"), "prunings": ("vibnet", "taylor")}
    run = Run(write_run(tmp_path, seeds=tuple(range(6)), **axes))
    *_, sentence = requests_part(run, E)
    firsts = [ranked[0] for ranked in standings(run, E, 1.0).values()]
    best, other = sorted(firsts, key=lambda one: one.cost)
    ratio = best.cost / other.cost
    names = [run.names.row(one.merging, one.pruning) for one in (best, other)]
    assert sentence.startswith(f"Any pruner: the cheapest row is {names[0]}, {ratio:.2f} [")
    assert f"] of {names[1]} (p = " in sentence
    every = overall_standings(run, E, 1.0)
    assert len(every) == 4 and [one.cost for one in every] == sorted(one.cost for one in every)


@pytest.mark.parametrize(("seeds", "told"), [(6, 1), (5, 0)])  # of five seeds no p is below 0.05
def test_a_row_that_beats_all_known_rows_is_named(tmp_path, two_rows, seeds, told):
    axes = {"mergings": ("none", "mtz", "all_shared", "pam"), "prunings": ("vibnet",)}
    run = Run(write_run(tmp_path, seeds=tuple(range(seeds)), **axes))
    sentences = [*winner_sentences([two_rows, run])]  # two_rows has no B2
    assert len(sentences) == told
    for sentence in sentences:
        assert sentence.startswith("**A row that beats all of B1 none, B2 MTZ, all shared**: ")
        assert "the cheapest row is PAM, " in sentence
        rows = run.rows("requests", requirement="worst", delta=1.0, merging="pam")
        (ratio,) = rows.loc[rows["n_tasks"].isna(), "flops_vs_none_mean"]
        assert f"If no task may lose more: {ratio:.2f} [" in sentence
