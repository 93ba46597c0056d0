"""The paper's table, measured: computation and accuracy of every merger at matched accuracy."""

from pathlib import Path

import numpy as np
import pandas as pd

from pam.reporting.names import (
    architecture_name,
    dataset_name,
    merging_name,
    order_combinations,
    order_mergings,
    order_prunings,
    pruning_name,
    size_name,
)
from pam.reporting.published import published
from pam.reporting.statistics.curves import pruned, select
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.storage import read_table, read_text_table
from pam.reporting.tables.cells import accuracy_cell, cost_cell, notes_for, number, ratio_cell
from pam.reporting.tables.text_table import Document, TextTable

ASKED_STRENGTHS = 5

Rows = dict[tuple[str, str, str], dict]
"""(pruning, combination, merging) -> row of matched.csv."""


def comparison(folder: Path, experiment: str) -> Document | None:
    """Return the comparison of one experiment at the default delta, the paper's figures beside.

    Of more than two tasks the means over all combinations of as many tasks come first. None where
    nothing was measured.
    """
    measured = select(read_table(folder, "measurements"), experiment=experiment)
    if measured.empty:
        return None
    matched = select(read_table(folder, "matched"), experiment=experiment, delta=DEFAULT_DELTA)
    paper = reported(measured)
    tables = _Comparison(matched, paper).tables(measured)
    if measured["n_tasks"].max() > 2:
        sizes = select(read_table(folder, "matched_sizes"), experiment=experiment)
        sizes = select(
            sizes.assign(combination=sizes["n_tasks"].map(size_name)), delta=DEFAULT_DELTA
        )
        summary = _Comparison(sizes, paper[:0], ", mean over combinations")
        tables = (
            summary.tables(measured.assign(combination=measured["n_tasks"].map(size_name))) + tables
        )
    return Document(
        title=f"{setting(measured)} at matched accuracy",
        intro=introduction(measured),
        tables=tables,
        numbers=_numbers(folder, experiment, paper),
    )


class _Comparison:
    """Builds tables whose rows are (pruning, combination)."""

    def __init__(self, matched: pd.DataFrame, paper: pd.DataFrame, of: str = "") -> None:
        self._of = of
        axes = ["pruning", "combination", "merging"]
        self._rows: Rows = {tuple(row[a] for a in axes): row for row in matched.to_dict("records")}
        self._paper: Rows = {tuple(row[a] for a in axes): row for row in paper.to_dict("records")}
        self._n = int(matched["n"].max()) if len(matched) else 0
        self._mergings = order_mergings(matched["merging"])
        self._reported = order_mergings(paper["merging"])
        self._places = [
            (pruning, combination)
            for pruning in order_prunings(matched["pruning"])
            for combination in order_combinations(matched["combination"])
        ]

    def tables(self, measured: pd.DataFrame) -> list[TextTable]:
        """Return the tables of costs, accuracies and ratios."""
        return [self.of_costs(), self.of_accuracies(measured), self.of_ratios()]

    def of_costs(self) -> TextTable:
        """Return matched MFLOPs, one column per merger; the smallest of a row is in bold."""
        rows = [
            [*self._labels(place)]
            + [cost_cell(row, self._n) for row in self._own(place)]
            + [number(1e-6 * value, ".2f") for value in self._of_paper(place, "flops")]
            for place in self._places
        ]
        best = frozenset(
            (index, 2 + column)
            for index, place in enumerate(self._places)
            for column in _smallest(self._own(place))
        )
        header = ["pruning", "tasks", *self._merging_names()]
        notes = [*notes_for([cell for row in rows for cell in row]), *self._paper_notes()]
        return TextTable(f"Computation (MFLOPs){self._of}", header, rows, 2, best, notes)

    def of_accuracies(self, measured: pd.DataFrame) -> TextTable:
        """Return test accuracies at matched cost, single-task networks first."""
        single = measured.groupby("combination")["single_task_accuracy"].mean()
        rows = [
            [*self._labels(place), number(100 * single[place[1]], ".2f")]
            + [accuracy_cell(row, self._n) for row in self._own(place)]
            + [number(100 * value, ".2f") for value in self._of_paper(place, "accuracy")]
            for place in self._places
        ]
        header = ["pruning", "tasks", "single-task", *self._merging_names()]
        notes = notes_for([cell for row in rows for cell in row])
        return TextTable(f"Test accuracy (%){self._of}", header, rows, 2, notes=notes)

    def of_ratios(self) -> TextTable:
        """Return the ratios of every merger of the PAM family to B1 and B2."""
        family = [name for name in self._mergings if name == "pam" or name.startswith("pam_")]
        pairs = [(merging, reference) for merging in family for reference in REFERENCES]
        reported = [("pam", reference) for reference in REFERENCES] if self._paper else []
        rows = [
            [*self._labels(place)]
            + [self._ratio(place, *pair) for pair in pairs]
            + [self._reported_ratio(place, *pair) for pair in reported]
            for place in self._places
        ]
        header = ["pruning", "tasks", *(_ratio_name(*pair) for pair in pairs)]
        header += [f"paper {_ratio_name(*pair)}" for pair in reported]
        title = f"Ratio of computation (below 1: less than the baseline){self._of}"
        notes = notes_for([cell for row in rows for cell in row])
        return TextTable(title, header, rows, 2, notes=notes)

    def _labels(self, place: tuple[str, str]) -> tuple[str, str]:
        return pruning_name(place[0]), place[1]

    def _merging_names(self) -> list[str]:
        names = [f"paper {merging_name(merging)}" for merging in self._reported]
        return [*map(merging_name, self._mergings), *names]

    def _own(self, place: tuple[str, str]) -> list[dict | None]:
        return [self._rows.get((*place, merging)) for merging in self._mergings]

    def _of_paper(self, place: tuple[str, str], name: str) -> list[float]:
        rows = [self._paper.get((*place, merging), {}) for merging in self._reported]
        return [row.get(name, np.nan) for row in rows]

    def _ratio(self, place: tuple[str, str], merging: str, reference: str) -> str:
        row, base = (self._rows.get((*place, name)) for name in (merging, reference))
        return ratio_cell(row, base, f"flops_vs_{reference}")

    def _reported_ratio(self, place: tuple[str, str], merging: str, reference: str) -> str:
        values = [
            self._paper.get((*place, name), {}).get("flops", np.nan)
            for name in (merging, reference)
        ]
        return number(values[0] / values[1], ".2f")

    def _paper_notes(self) -> list[str]:
        derived = [row for row in self._paper.values() if row["source"] == "derived"]
        if not derived:
            return []
        named = "; ".join(_place_name(row) for row in derived)
        return [
            "paper: as printed, except what follows from the widths "
            f"that the authors recorded ({named}); —: not known."
        ]


def _smallest(rows: list[dict | None]) -> list[int]:
    """Return where the smallest matched FLOPs stand: at most one index."""
    values = [row["flops_mean"] if row and row["status"] == OK else np.nan for row in rows]
    return [] if np.isnan(values).all() else [int(np.nanargmin(values))]


def _place_name(row: dict) -> str:
    return f"{merging_name(row['merging'])}, {pruning_name(row['pruning'])}, {row['combination']}"


def _ratio_name(merging: str, reference: str) -> str:
    return f"{merging_name(merging)} / {merging_name(reference).split()[0]}"


def _described(measured: pd.DataFrame) -> pd.Series:
    """Return a row that says what the experiment is about; rows of failed cells may not."""
    return measured.sort_values("dataset", ascending=False, kind="stable").iloc[0]


def setting(measured: pd.DataFrame) -> str:
    """Return what an experiment is about: ``LeNet-5 on Fashion-MNIST``."""
    row = _described(measured)
    return f"{architecture_name(row['architecture'])} on {dataset_name(row['dataset'])}"


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


def reported(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's figures for the data set and architecture of an experiment."""
    row = _described(measured)
    figures = published("comparison")
    return select(figures, dataset=row["dataset"], architecture=row["architecture"])


def _numbers(folder: Path, experiment: str, paper: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of matched.csv at the default delta with the paper's figures appended."""
    rows = select(read_text_table(folder, "matched"), experiment=experiment)
    rows = rows[rows["delta"].astype(float) == DEFAULT_DELTA]
    axes = ["pruning", "combination", "merging"]
    figures = paper[[*axes, "accuracy", "flops"]].rename(
        columns={"accuracy": "paper_accuracy", "flops": "paper_flops"}
    )
    figures["paper_accuracy"] = [number_or_empty(v, ".4f") for v in figures["paper_accuracy"]]
    figures["paper_flops"] = [number_or_empty(v, ".0f") for v in figures["paper_flops"]]
    return rows.merge(figures, on=axes, how="left").fillna("")


def number_or_empty(value: float, digits: str) -> str:
    """Return a number as text, nothing for NaN."""
    return "" if np.isnan(value) else format(value, digits)
