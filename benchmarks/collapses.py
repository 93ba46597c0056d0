"""Whether a ratio hangs on networks that collapsed: every row that has some, with and without them.

Run ``python -m benchmarks.collapses --runs results/reference/* [--out CSV]``. A network collapsed
if a cheaper one of the same path has lost at least three points less: its fine-tuning failed, not
its pruning. The estimator fits it like any other. Ratios are those of any request to B1 where one
point is lost; where B1 is the row, or a seed of either never comes within it, there is none.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import write_csv
from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA, REFERENCES
from pam.reporting.statistics.matched_cost import Reading, paired
from pam.reporting.statistics.points import Networks, Part, pruned_networks
from pam.reporting.statistics.standings import request_readings

WORSE = 3.0
"""Percentage points that a collapsed network has lost more than a cheaper one."""

PARTS = ("ratio", "low", "high", "p")
FIELDS = (
    *("run", "experiment", "pruning", "merging", "n", "networks", "collapsed"),
    *PARTS,
    *(f"without_{part}" for part in PARTS),
)


def rows_of(run: Run) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run some of whose networks collapsed."""
    for experiment in run.experiments:
        every = {one.pruning: one for one in pruned_networks(run, experiment=experiment)}
        kept = {pruning: without_collapsed(networks) for pruning, networks in every.items()}
        for pruning, networks in every.items():
            beside = run.names.beside(pruning, every)
            measured = _ratios(run, networks, every[beside])
            without = _ratios(run, kept[pruning], kept[beside])
            for merging, seeds in networks.parts.items():
                count, left = (_count(one, merging) for one in (networks, kept[pruning]))
                if left == count:
                    continue
                is_base = (pruning, merging) == (beside, REFERENCES[0])
                numbers = [""] * 8 if is_base else measured[merging] + without[merging]
                axes = [run.profile, experiment, pruning, merging, len(seeds)]
                cells = [*axes, count, count - left, *numbers]
                yield dict(zip(FIELDS, cells, strict=True))


def without_collapsed(networks: Networks) -> Networks:
    """Return the networks without those that collapsed."""
    parts = {
        merging: {seed: [*map(_kept, every)] for seed, every in seeds.items()}
        for merging, seeds in networks.parts.items()
    }
    return replace(networks, parts=parts)


def _kept(part: Part) -> Part:
    drops, costs = part.drops.mean(axis=0), part.costs["flops"][frozenset(part.tasks)]
    # (P, P): whether the network of the column is cheaper than that of the row, and so much better.
    beaten = (costs[None] < costs[:, None]) & (drops[None] < drops[:, None] - WORSE)
    kept = ~beaten.any(axis=1)
    return Part(
        part.tasks,
        part.strengths[kept],
        part.drops[:, kept],
        part.accuracies[:, kept],
        {
            kind: {tasks: values[kept] for tasks, values in costs.items()}
            for kind, costs in part.costs.items()
        },
    )


def _count(networks: Networks, merging: str) -> int:
    return sum(len(one.strengths) for parts in networks.parts[merging].values() for one in parts)


def _ratios(run: Run, networks: Networks, beside: Networks) -> dict[str, list[str]]:
    """Return merging -> estimate, ends and p of the ratio to B1; empty where there is none."""
    base = request_readings(beside, run.likely, DEFAULT_DELTA).get(REFERENCES[0])
    readings = request_readings(networks, run.likely, DEFAULT_DELTA)
    return {merging: _cells(reading, base) for merging, reading in readings.items()}


def _cells(reading: Reading, base: Reading | None) -> list[str]:
    ratio = paired(reading, base) if base else None
    fields = [ratio.estimate, ratio.low, ratio.high, ratio.p] if ratio else []
    values = [np.asarray(field).item() for field in fields]
    return [f"{value:.4f}" for value in values] if np.isfinite(values[:1]).any() else [""] * 4


def main() -> None:
    """Write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", nargs="+", type=Path, required=True, help="folders of runs")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/decisions/collapses.csv"), help="CSV to write"
    )
    given = parser.parse_args()
    write_csv(given.out, FIELDS, [row for run in given.runs for row in rows_of(Run(run))])


if __name__ == "__main__":
    main()
