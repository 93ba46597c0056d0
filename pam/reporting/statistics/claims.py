"""The paper's claims: what was measured of each, and the verdict that follows by fixed rules.

A claim needs every ratio that it speaks of: every task that runs alone, both of the paper's pruning
schemes, every delta. That all of them have p < 0.05 is itself a test at that level, whatever their
number, so p stands uncorrected (an intersection-union test).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pam.reporting.run import Run
from pam.reporting.statistics.analyses import BEFORE, before_and_after, removals
from pam.reporting.statistics.intervals import LEVEL, Array, Estimate, mean_interval, sign_flip_p
from pam.reporting.statistics.matched import BOUND, NOT_REACHED, OK, REFERENCES, Row
from pam.reporting.statistics.pruning_path import MEAN
from pam.reporting.storage import select

LEAST_SEEDS = 6
"""The fewest of which an exact sign-flip test can have p below :data:`LEVEL`: 2 / 2^6."""

MARGIN = 1.1
"""Costs that differ by a smaller factor count as equal."""

CORRELATION_MARGIN = 0.1
PAM, ALL_SHARED, RANDOM = "pam", "all_shared", "random"
B1, B2 = REFERENCES
PRUNINGS = ("vibnet", "taylor")

HOLDS, LEANS, FAILS, UNKNOWN = "holds", "leans that way", "does not hold", "no ratio"
REPRODUCED, PARTLY, NOT = "reproduced", "partly", "not reproduced"
TOO_FEW, NOT_TESTED = "undecided: n too small", "not tested here"


@dataclass(frozen=True)
class Evidence:
    """One measured quantity that a claim speaks of.

    Attributes:
        run: where it was measured.
        experiment, pruning, tasks, delta: which cell; empty or NaN where that says nothing.
        estimate: with its 95 % interval.
        p: of the exact sign-flip test, uncorrected; NaN where none is made.
        outcome: :data:`HOLDS`, :data:`LEANS` (the estimate alone does), :data:`FAILS` or
            :data:`UNKNOWN`.
    """

    run: Run
    experiment: str
    pruning: str
    tasks: str
    delta: float
    estimate: Estimate
    p: float
    outcome: str


Test = Callable[[Estimate, float], str]
"""From an estimate and its p to an outcome."""

Places = Sequence[tuple[Run, str]]
"""Experiments of runs."""


def weighed(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Return what a verdict rests on: what has enough seeds, or all if nothing has."""
    known = [one for one in evidence if one.outcome != UNKNOWN]
    return [one for one in known if one.estimate.n >= LEAST_SEEDS] or known


def verdict(evidence: Iterable[Evidence]) -> str:
    """Return what all that was measured of a claim says of it.

    Reproduced if all of it holds; partly if some does, or if all of it leans that way.
    """
    known = weighed(evidence)
    if not known:
        return NOT_TESTED
    if known[0].estimate.n < LEAST_SEEDS:
        return TOO_FEW
    outcomes = {one.outcome for one in known}
    if outcomes == {HOLDS}:
        return REPRODUCED
    return PARTLY if HOLDS in outcomes or FAILS not in outcomes else NOT


def below(estimate: Estimate, p: float) -> str:
    """Return whether a ratio is below 1: interval and p must both say so."""
    if estimate.high < 1 and p < LEVEL:
        return HOLDS
    return LEANS if estimate.mean < 1 else FAILS


def equal(estimate: Estimate, _p: float) -> str:
    """Return whether a ratio is 1, but for the margin: the whole interval must lie within it."""
    if estimate.low > 1 / MARGIN and estimate.high < MARGIN:
        return HOLDS
    return LEANS if 1 / MARGIN < estimate.mean < MARGIN else FAILS


def ratios(places: Places, reference: str, alone: bool) -> list[Evidence]:
    """Return the ratios of PAM to a baseline, of every task alone or of all tasks together.

    B1 is equal for one task alone; everything else is a claim of less. Of places that measured the
    same the first counts.
    """
    test = equal if alone and reference == B1 else below
    seen, evidence = set[str](), []
    for run, experiment in places:
        matched = run.rows("matched", experiment=experiment, requirement=MEAN)
        size = matched["combination"].str.count("&") + 1
        matched = matched[size == (1 if alone else size.max())]
        for pruning in PRUNINGS:
            rows = select(matched, pruning=pruning)
            measured = select(rows, merging=PAM).to_dict("records")
            settings = run.row_settings(experiment, PAM, pruning) if measured else ""
            if settings in seen:
                continue
            seen.add(settings)
            bases = {
                (row["delta"], row["combination"]): row
                for row in select(rows, merging=reference).to_dict("records")
            }
            for row in measured:
                base = bases.get((row["delta"], row["combination"]))
                if base is not None:
                    cell = run, experiment, pruning, row["combination"], row["delta"]
                    evidence.append(Evidence(*cell, *_judged(row, base, reference, test)))
    return evidence


def _judged(row: Row, base: Row, reference: str, test: Test) -> tuple[Estimate, float, str]:
    """Return estimate, p and outcome of the ratio of a row of ``matched.csv`` to its baseline."""
    name = f"flops_vs_{reference}"
    estimate = Estimate(int(row["n"]), *(row[f"{name}_{end}"] for end in ("mean", "low", "high")))
    if row["status"] == NOT_REACHED and base["status"] in (OK, BOUND):
        # It costs infinitely much where the baseline does not.
        return estimate._replace(mean=np.inf), np.nan, FAILS
    if np.isnan(estimate.mean) or BOUND in (row["status"], base["status"]):
        return estimate, np.nan, UNKNOWN
    return estimate, row[f"{name}_p"], test(estimate, row[f"{name}_p"])


def largest_factor(places: Places, reference: str, delta: float) -> list[Evidence]:
    """Return the largest factor by which PAM beats a baseline, of all experiments and settings.

    Those of fewer than :data:`LEAST_SEEDS` seeds count only where there is no other. It holds if
    it is at least the paper's and its interval lies above 1, and leans that way if its interval
    reaches the paper's.
    """
    evidence = [
        _factor(run, row)
        for run, experiment in places
        for row in run.rows(
            "headline", experiment=experiment, against=reference, merging=PAM, delta=delta
        ).to_dict("records")
        if run.names.pruner(row["pruning"]) in PRUNINGS and row["status"] == OK
    ]
    return sorted(weighed(evidence), key=lambda one: one.estimate.mean)[-1:]


def _factor(run: Run, row: Row) -> Evidence:
    estimate = Estimate(int(row["n"]), row["factor"], row["low"], row["high"])
    outcome = LEANS if estimate.high >= row["paper"] else FAILS
    if estimate.mean >= row["paper"] and estimate.low > 1 and row["p"] < LEVEL:
        outcome = HOLDS
    cell = row["experiment"], row["pruning"], row["combination"], row["delta"]
    return Evidence(run, *cell, estimate, row["p"], outcome)


def sharing(places: Places) -> list[Evidence]:
    """Return the rank correlation between what two tasks' labels have in common and what is shared.

    One correlation over all pairs of tasks per seed; 0 where the share does not vary.
    """
    evidence = []
    for run, experiment in places:
        rows = run.rows("relatedness", experiment=experiment, merging=PAM, status=OK)
        how = dict.fromkeys(("shared", "neurons", "removed"), "sum")
        how |= {"label_information_nats": "mean"}
        pairs = rows.groupby(["seed", "task_a", "task_b"], as_index=False).agg(how)
        pairs["share"] = pairs["shared"] / (pairs["neurons"] - pairs["removed"])
        values = [
            one[["label_information_nats", "share"]].corr("spearman").fillna(0).iloc[0, 1]
            for _, one in pairs.groupby("seed")
            if len(one) > 2
        ]
        evidence += _above(values, 0, run, experiment)
    return evidence


def exclusive_neurons(places: Places) -> list[Evidence]:
    """Return condition 1: what a task loses with the neurons most exclusive to it, above others.

    Points of test accuracy that the task loses more than the other tasks do, mean over layers,
    tasks and numbers of neurons removed, in an all-shared, pruned network.
    """
    evidence = []
    for run, experiment in places:
        rows = removals(run, experiment)
        rows = rows.assign(own=rows["task"] == rows["exclusive_to"])
        axes = ["pruning", "seed", "layer", "exclusive_to", "own"]
        accuracy = rows[rows["step"] > 0].groupby(axes)["accuracy"].mean()
        intact = rows[rows["step"] == 0].groupby(axes)["accuracy"].mean()
        losses = (100 * (intact - accuracy)).unstack("own").dropna()
        if losses.shape[1] < 2:
            continue
        seeds = (losses[True] - losses[False]).groupby(["pruning", "seed"]).mean()
        for pruning, values in seeds.groupby("pruning"):
            evidence += _above(values, 0, run, experiment, pruning)
    return evidence


def surviving_redundancy(places: Places) -> list[Evidence]:
    """Return condition 2: the correlation of exclusive groups after pruning, less that before.

    Of the most similar pair of neurons, mean over mergers and layers. It holds if pruning takes off
    less than :data:`CORRELATION_MARGIN`.
    """
    evidence = []
    for run, experiment in places:
        rows = run.rows("redundancy", experiment=experiment, status=OK)
        staged = before_and_after(rows.dropna(subset="max_correlation"))
        means = staged.groupby(["pruning", "merging", "layer", "seed", "stage"])["max_correlation"]
        stages = means.mean().unstack("stage").dropna()
        if stages.shape[1] < 2:
            continue
        falls = stages.drop(columns=BEFORE).iloc[:, 0] - stages[BEFORE]
        for pruning, values in falls.groupby(["pruning", "seed"]).mean().groupby("pruning"):
            evidence += _above(values, -CORRELATION_MARGIN, run, experiment, pruning)
    return evidence


def _above(
    values: Array | pd.Series | Sequence[float],
    bound: float,
    run: Run,
    experiment: str,
    pruning: str = "",
) -> list[Evidence]:
    """Return whether values, one per seed, lie above a bound: interval and p must both say so."""
    seeds = np.asarray(values, dtype=np.float64)
    if not len(seeds):
        return []
    estimate, p = mean_interval(seeds), float(sign_flip_p(seeds[:, None] - bound)[0])
    outcome = LEANS if estimate.mean > bound else FAILS
    if estimate.low > bound and p < LEVEL:
        outcome = HOLDS
    return [Evidence(run, experiment, pruning, "", np.nan, estimate, p, outcome)]
