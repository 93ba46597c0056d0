"""What came out of a run in a few sentences, every word of judgement made from the numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pam.reporting.names import ANY_REQUEST, size_name
from pam.reporting.run import Run
from pam.reporting.statistics.matched import BOUND, DEFAULT_DELTA, NOT_REACHED, OK, REFERENCES
from pam.reporting.statistics.pruning_path import MEAN
from pam.reporting.storage import select
from pam.reporting.tables.cell_text import Row, baseline, cost_cell, ratio_cell

_B1 = REFERENCES[0]
_RATIO = f"flops_vs_{_B1}"


@dataclass(frozen=True)
class Verdict:
    """Who is cheapest in one experiment, among all that is compared with the same baselines.

    Attributes:
        title: the experiment, the pruner and on how many seeds it rests.
        answers: what is asked for (one task, all, any) -> who is cheapest, in words.
    """

    title: str
    answers: dict[str, str]

    def __str__(self) -> str:
        """Return it as lines."""
        width = max(map(len, self.answers))
        lines = (f"  {request:<{width}}  {answer}" for request, answer in self.answers.items())
        return "\n".join([self.title, *lines])


def verdicts(run: Run) -> list[Verdict]:
    """Return the verdicts of a run, in the order of its configuration; none if nothing compares."""
    rows = run.rows("requests", requirement=MEAN, delta=DEFAULT_DELTA)
    order = dict.fromkeys([*run.sections, *run.experiments])
    known = [name for name in order if name in run.experiments]
    return [
        verdict for name in known for verdict in _of_experiment(run, select(rows, experiment=name))
    ]


def _of_experiment(run: Run, rows: pd.DataFrame) -> Iterator[Verdict]:
    prunings = run.names.order_prunings(rows["pruning"])
    beside = {one: run.names.beside(one, prunings) for one in prunings}
    for base in dict.fromkeys(beside.values()):
        compared = rows[rows["pruning"].map(beside) == base]
        n = int(compared["n"].max())
        title = (
            f"{run.title(rows['experiment'].iloc[0])}, {run.names.pruning(base)}, n = {n} "
            f"seed{'s' * (n != 1)}: cheapest where {DEFAULT_DELTA:g} point of validation accuracy "
            "is lost"
        )
        # A size is left out if no request of it is likely.
        sizes = sorted({1.0, compared["n_tasks"].max()} & {*compared["n_tasks"]})
        answers = {size_name(size): select(compared, n_tasks=size) for size in sizes}
        answers[ANY_REQUEST] = compared[compared["n_tasks"].isna()]
        yield Verdict(title, {name: _answer(run, base, of) for name, of in answers.items()})


def _answer(run: Run, base: str, rows: pd.DataFrame) -> str:
    """Return who is cheapest of the rows of one request, and how surely."""
    ranked = rows[rows["status"].isin((OK, BOUND))].sort_values("flops_mean", kind="stable")
    if ranked.empty:
        reached = (rows["status"] == NOT_REACHED).any()
        return "no merger comes that close with every seed" if reached else "nothing was measured"
    every, n = ranked.to_dict("records"), int(rows["n"].max())
    b1 = next((row for row in every if (row["merging"], row["pruning"]) == (_B1, base)), None)
    names = [run.names.row(row["merging"], row["pruning"], base) for row in every]
    text = f"{names[0]}: {cost_cell(every[0], n)} MFLOPs"
    others = [row for row in every if row is not b1]
    if b1 is None or not others:
        return text
    compared = others[0]
    ratio = f"{ratio_cell(compared, b1, _RATIO)} × {baseline(run.names, _B1)}"
    next_one = f"next {names[1]} at " if every[0] is b1 else ""
    return f"{text}; {next_one}{ratio}{_surely(compared, b1)}"


def _surely(row: Row, base: Row) -> str:
    """Return whether a ratio is told apart from 1."""
    low, high = row[f"{_RATIO}_low"], row[f"{_RATIO}_high"]
    if BOUND in (row["status"], base["status"]):
        return ", only bounded"
    if row["n"] < 3 or np.isnan(low):
        return f", too few seeds to tell (n = {row['n']:.0f})"
    return "" if not low <= 1 <= high else ", not told apart from it"
