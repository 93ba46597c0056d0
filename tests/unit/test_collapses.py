"""Networks that collapsed: which they are, and what ratios are without them."""

import csv

import numpy as np
import pytest

from benchmarks.collapses import rows_of, without_collapsed
from pam.reporting.run import Run
from pam.reporting.statistics.points import Networks, Part
from pam.source.modules import ROOT

A = frozenset({"A"})


def part(costs: list[float], drops: list[float]) -> Part:
    return Part(
        ("A",),
        np.arange(len(costs), dtype=np.float64),
        np.array([drops]),
        np.full((1, len(costs)), 0.9),
        {"flops": {A: np.array(costs)}},
    )


@pytest.mark.parametrize(
    ("costs", "drops", "kept"),
    [
        ([9, 8, 7, 6], [0, 20, 1, 2], [9, 7, 6]),
        # The end of a path is no collapse, whatever it has lost, and neither is noise.
        ([9, 8, 7, 6], [0, 1, 20, 30], [9, 8, 7, 6]),
        ([9, 8, 7, 6], [0, 3.9, 1, 2], [9, 8, 7, 6]),
        ([6, 7, 8, 9], [2, 1, 20, 0], [6, 7, 9]),
    ],
)
def test_only_what_a_cheaper_network_beats_by_far_is_left_out(costs, drops, kept):
    networks = Networks("fashion", "vibnet", ["A"], {"pam": {0: [part(costs, drops)]}})
    (left,) = without_collapsed(networks).parts["pam"][0]
    assert left.costs["flops"][A].tolist() == kept
    assert len(left.strengths) == left.drops.shape[1] == left.accuracies.shape[1] == len(kept)


def test_committed_rows_are_those_of_the_reference_runs():
    with open(ROOT / "docs" / "decisions" / "collapses.csv") as handle:
        committed = [row for row in csv.DictReader(handle) if row["run"] == "relatedness"]
    found = [*rows_of(Run(ROOT / "results" / "reference" / "relatedness"))]
    assert [{name: str(cell) for name, cell in row.items()} for row in found] == committed
    assert len(committed) > 2
