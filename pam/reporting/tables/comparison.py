"""The paper's table, measured: computation and accuracy of every merger at matched accuracy."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pam.reporting.names import size_name
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.curves import pruned
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.storage import select
from pam.reporting.tables.cells import (
    accuracy_cell,
    baseline,
    cost_cell,
    noted_table,
    number,
    ratio_cell,
)
from pam.reporting.tables.lookup import Lookup
from pam.reporting.tables.text_table import Document, TextTable

ASKED_STRENGTHS = 5
AXES = ["pruning", "combination", "merging"]

_Place = tuple[str, str]


def comparison(run: Run, experiment: str) -> Document | None:
    """Return the comparison of one experiment at the default delta, the paper's figures beside.

    Of more than two tasks the means over all combinations of as many tasks come first. None where
    nothing was measured.
    """
    measured = run.rows("measurements", experiment=experiment)
    if measured.empty:
        return None
    matched = run.rows("matched", experiment=experiment, delta=DEFAULT_DELTA)
    dataset, architecture = run.setting(experiment)
    paper = select(published("comparison"), dataset=dataset, architecture=architecture)
    tables = _Comparison(run, matched, paper).tables(measured)
    if measured["n_tasks"].max() > 2:
        means = _Comparison(run, matched_sizes(run, experiment), paper[:0])
        measured_sizes = measured.assign(combination=measured["n_tasks"].map(size_name))
        tables = means.tables(measured_sizes, ", mean over combinations") + tables
    return Document(
        title=f"{run.title(experiment)} at matched accuracy",
        intro=introduction(measured),
        tables=tables,
        numbers=_numbers(run, experiment, paper),
    )


def matched_sizes(run: Run, experiment: str) -> pd.DataFrame:
    """Return the rows of ``matched_sizes.csv`` at the default delta.

    The number of tasks, such as ``2 tasks``, stands in the column ``combination``.
    """
    rows = run.rows("matched_sizes", experiment=experiment, delta=DEFAULT_DELTA)
    return rows.assign(combination=rows["n_tasks"].map(size_name))


class _Comparison:
    """Builds tables whose rows are (pruning, combination), the paper's columns on the right.

    Args:
        run: gives names and order.
        matched: rows of ``matched.csv``.
        paper: rows of ``published("comparison")``.
    """

    def __init__(self, run: Run, matched: pd.DataFrame, paper: pd.DataFrame) -> None:
        self._names = run.names
        self._rows = Lookup(run.names, matched, AXES)
        self._paper = Lookup(run.names, paper, AXES)
        self._n = int(matched["n"].max()) if len(matched) else 0
        self._mergings = self._rows.values("merging")
        self._reported = self._paper.values("merging")
        self._places: list[_Place] = self._rows.places("pruning", "combination")

    def tables(self, measured: pd.DataFrame, of: str = "") -> list[TextTable]:
        """Return the tables of costs, accuracies and ratios; ``of`` ends their titles."""
        mergings = [self._names.merging(merging) for merging in self._mergings]
        mergings += [f"paper {self._names.merging(merging)}" for merging in self._reported]
        single = measured.groupby("combination")["single_task_accuracy"].mean()
        return [
            self._table(
                f"Computation (MFLOPs){of}",
                mergings,
                self._costs,
                self._cheapest(),
                self._paper_notes(),
            ),
            self._table(
                f"Test accuracy (%){of}",
                ["single-task", *mergings],
                lambda place: [number(100 * single[place[1]], ".2f"), *self._accuracies(place)],
            ),
            self._table(
                f"Ratio of computation (below 1: less than the baseline){of}",
                self._ratio_names(),
                self._ratios,
            ),
        ]

    def _table(
        self,
        title: str,
        header: list[str],
        cells: Callable[[_Place], list[str]],
        strong: Sequence[tuple[int, int]] = (),
        notes: Sequence[str] = (),
    ) -> TextTable:
        rows = [[self._names.pruning(place[0]), place[1], *cells(place)] for place in self._places]
        return noted_table(title, ["pruning", "tasks", *header], rows, 2, strong, notes)

    def _costs(self, place: _Place) -> list[str]:
        """Return matched MFLOPs, one per merger."""
        return [cost_cell(row, self._n) for row in self._measured(place)] + [
            number(1e-6 * value, ".2f") for value in self._printed(place, "flops", self._reported)
        ]

    def _accuracies(self, place: _Place) -> list[str]:
        """Return test accuracies at matched cost, one per merger."""
        return [accuracy_cell(row, self._n) for row in self._measured(place)] + [
            number(100 * value, ".2f") for value in self._printed(place, "accuracy", self._reported)
        ]

    def _pairs(self) -> list[tuple[str, str]]:
        """Return the mergers of the PAM family, each with every baseline."""
        family = [name for name in self._mergings if self._names.family(name) == "pam"]
        return [(merging, reference) for merging in family for reference in REFERENCES]

    def _ratio_names(self) -> list[str]:
        def name(merging: str, reference: str) -> str:
            return f"{self._names.merging(merging)} / {baseline(self._names, reference)}"

        printed = [f"paper {name('pam', reference)}" for reference in REFERENCES]
        return [name(*pair) for pair in self._pairs()] + (printed if self._reported else [])

    def _ratios(self, place: _Place) -> list[str]:
        """Return the ratios of every merger of the PAM family to B1 and B2."""
        ratios = []
        for merging, reference in self._pairs():
            row, base = self._rows.all((*place, merging), (*place, reference))
            ratios.append(ratio_cell(row, base, f"flops_vs_{reference}"))
        if self._reported:
            pam, *bases = self._printed(place, "flops", ["pam", *REFERENCES])
            ratios += [number(pam / base, ".2f") for base in bases]
        return ratios

    def _measured(self, place: _Place) -> list[dict | None]:
        return self._rows.all(*((*place, merging) for merging in self._mergings))

    def _printed(self, place: _Place, name: str, mergings: list[str]) -> list[float]:
        rows = self._paper.all(*((*place, merging) for merging in mergings))
        return [np.nan if row is None else row[name] for row in rows]

    def _cheapest(self) -> list[tuple[int, int]]:
        """Return row and column of the smallest matched FLOPs of every place that has any."""
        cheapest = []
        for index, place in enumerate(self._places):
            rows = self._measured(place)
            costs = [row["flops_mean"] if row and row["status"] == OK else np.nan for row in rows]
            if not np.isnan(costs).all():
                cheapest.append((index, 2 + int(np.nanargmin(costs))))
        return cheapest

    def _paper_notes(self) -> list[str]:
        names = self._names
        derived = [
            f"{names.merging(merging)}, {names.pruning(pruning)}, {combination}"
            for pruning, combination, merging in self._paper
            if self._paper.get(pruning, combination, merging)["source"] == "derived"
        ]
        if not derived:
            return []
        return [
            "paper: as printed, except what follows from the widths "
            f"that the authors recorded ({'; '.join(derived)}); —: not known."
        ]


def introduction(measured: pd.DataFrame) -> str:
    """Return how the comparison was made and on how much it rests."""
    measured = measured[measured["status"] == OK]
    n = measured["seed"].nunique()
    measured = pruned(measured)
    strengths = measured.groupby(["pruning", "merging"])["strength"].nunique().min()
    few = (
        f" The protocol asks for at least {ASKED_STRENGTHS}: read these figures as a rehearsal."
        if len(measured) and strengths < ASKED_STRENGTHS
        else ""
    )
    return (
        f"Validation accuracy {DEFAULT_DELTA:g} percentage point below the single-task networks "
        "for every task; monotone frontiers over "
        f"{0 if not len(measured) else strengths:.0f} pruning strengths and "
        f"n = {n} seeds. In square brackets: 95 % bootstrap interval over seeds. "
        f"FLOPs in the paper's convention, multiplications and additions counted.{few}"
    )


def _numbers(run: Run, experiment: str, paper: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of matched.csv at the default delta with the paper's figures appended."""
    rows = run.text_rows("matched", experiment=experiment, delta=f"{DEFAULT_DELTA:.2f}")
    printed = paper[AXES].assign(
        paper_accuracy=paper["accuracy"].map("{:.4f}".format, na_action="ignore"),
        paper_flops=paper["flops"].map("{:.0f}".format, na_action="ignore"),
    )
    return rows.merge(printed, on=AXES, how="left").fillna("")
