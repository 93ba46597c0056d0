"""The rows of the CSV files of comparisons: costs at matched accuracy and their ratios.

``matched.csv`` has every combination of tasks, ``requests.csv`` what a request is expected to
cost, and ``frontiers.csv`` the ratios averaged over whole frontiers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from pam.config.profile import COMPARED_DELTA
from pam.reporting.names import ANY_REQUEST, Names, pooled, size_name
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import Array, holm, t_interval
from pam.reporting.statistics.matched_cost import (
    MatchedCost,
    Ratio,
    Reading,
    paired,
    read_costs,
    whole_frontier,
)
from pam.reporting.statistics.points import Networks
from pam.reporting.statistics.pruning_path import MEAN, REQUIREMENTS
from pam.reporting.storage import select

DELTAS = (0.5, 1.0, 2.0)
"""Percentage points of validation accuracy below the single-task networks, where mergers are
compared; an argument ``delta`` is one such number everywhere."""

DEFAULT_DELTA = COMPARED_DELTA
REFERENCES = ("none", "mtz")
RATIO_PARTS = ("mean", "low", "high", "p", "p_holm")

OK, BOUND, NOT_REACHED, FAILED = "ok", "bound", "not reached", "failed"

Row = dict[str, Any]
Weights = Mapping[str, float]
"""Combination -> how likely a request for it is, relative to the others; all equally likely for an
experiment of whose combinations none is named."""


class Comparison:
    """All mergers of one experiment and pruning, beside the baselines.

    Args:
        networks: those that are compared.
        beside: those of the pruning whose B1 and B2 they are compared with; often the same.
        deltas: where they are compared.
    """

    def __init__(self, networks: Networks, beside: Networks, deltas: Sequence[float]) -> None:
        self.networks, self._beside, self._deltas = networks, beside, deltas

    @cached_property
    def _read(self) -> list[tuple[Row, MatchedCost, MatchedCost]]:
        """Every requirement and delta, as columns, with the costs of both pruners."""
        names = self.networks.combinations
        return [
            (
                self._axes(requirement) | {"delta": delta},
                *(
                    read_costs(side.paths, names, delta, requirement)
                    for side in (self.networks, self._beside)
                ),
            )
            for requirement in REQUIREMENTS
            for delta in self._deltas
        ]

    def rows(self, weights: Array, alone: int = 0) -> Iterator[tuple[int, Row]]:
        """Yield the rows of all mergers for W requests, each with the index of its request.

        Args:
            weights: (W, C) how likely each combination is.
            alone: how many of the last requests are no test among others, so that Holm's
                correction leaves them out.
        """
        for axes, costs, beside in self._read:
            bases = beside.weighted(weights)
            for merging, read in costs.weighted(weights).items():
                ratios = {one: paired(read, bases[one]) for one in self._references(read.seeds)}
                columns = _summaries(read) | _ratio_columns(ratios, len(weights), alone)
                for index in range(len(weights)):
                    row = {name: values[index] for name, values in columns.items()}
                    yield index, axes | {"merging": merging, "n": len(read.seeds)} | row

    def frontier_rows(self, likely: Weights) -> Iterator[Row]:
        """Yield the rows of ``frontiers.csv``; an empty combination is a request for any."""
        names = self.networks.combinations
        weights = np.vstack([np.eye(len(names)), any_request(names, likely)])
        beside, largest = self._beside.paths, 2 * max(self._deltas)
        for requirement in REQUIREMENTS:
            for merging, seeds in self.networks.paths.items():
                ratios = {
                    name: whole_frontier(seeds, beside[name], names, weights, requirement, largest)
                    for name in self._references(seeds)
                }
                columns = _ratio_columns(ratios, len(weights), alone=1)
                for index, name in enumerate([*names, ""]):
                    row = {column: values[index] for column, values in columns.items()}
                    axes = self._axes(requirement) | {"merging": merging, "combination": name}
                    yield axes | {"n": len(seeds)} | row

    def _references(self, seeds: Iterable[int]) -> list[str]:
        """Return the baselines that have all seeds of a row: its ratios are of no fewer."""
        paths = self._beside.paths
        return [one for one in REFERENCES if one in paths and {*seeds} <= {*paths[one]}]

    def _axes(self, requirement: str) -> Row:
        networks = self.networks
        axes = {"experiment": networks.experiment, "pruning": networks.pruning}
        return axes | {"requirement": requirement}


def comparisons(
    every: Sequence[Networks], beside: Callable[[str, Sequence[str]], str], deltas: Sequence[float]
) -> list[Comparison]:
    """Return the comparisons of a run."""
    known = {(networks.experiment, networks.pruning): networks for networks in every}
    return [
        Comparison(
            networks,
            known[
                networks.experiment,
                beside(networks.pruning, [b for a, b in known if a == networks.experiment]),
            ],
            deltas,
        )
        for networks in every
    ]


def matched_rows(compared: Sequence[Comparison]) -> Iterator[Row]:
    """Yield the rows of ``matched.csv``: every combination of tasks."""
    for one in compared:
        names = one.networks.combinations
        for index, row in one.rows(np.eye(len(names))):
            yield row | {"combination": names[index]}


def request_rows(compared: Sequence[Comparison], likely: Mapping[str, Weights]) -> Iterator[Row]:
    """Yield the rows of ``requests.csv``: means over all combinations, and over those of a size."""
    for one in compared:
        rows = size_requests(one.networks.combinations, likely)
        for index, row in one.rows(np.stack([*rows.values()]), alone=1):
            size, weights = [*rows.items()][index]
            yield row | {"n_tasks": size, "combinations": int((weights > 0).sum())}


def size_requests(combinations: Sequence[str], likely: Weights) -> dict[int | None, Array]:
    """Return number of tasks -> weights (C,) of a request for as many; None for any number, last.

    A number of tasks of which no combination is likely is left out.
    """
    whole = any_request(combinations, likely)
    sizes = np.array([name.count("&") + 1 for name in combinations])
    weights = {int(size): np.where(sizes == size, whole, 0.0) for size in np.unique(sizes)}
    # The one number by which mergers are ranked.
    return {size: row for size, row in weights.items() if row.any()} | {None: whole}


def labelled_requests(combinations: Sequence[str], likely: Weights) -> dict[str, Array]:
    """Return label -> weights (C,) of the requests that tables show, the one for any last.

    Of two tasks that is every combination, of more every number of tasks.
    """
    sizes = size_requests(combinations, likely)
    whole = sizes.pop(None)
    if pooled(combinations).keys() == set(combinations):
        parts = dict(zip(combinations, np.eye(len(combinations)), strict=True))
    else:
        parts = {size_name(size): weights for size, weights in sizes.items()}
    return parts | {ANY_REQUEST: whole}


def any_request(combinations: Sequence[str], likely: Weights) -> Array:
    """Return the weights (C,), of sum 1, of the combinations of a request."""
    weights = np.array([likely.get(name, 0.0) for name in combinations], dtype=np.float64)
    weights = weights if weights.any() else np.ones(len(combinations))
    return weights / weights.sum()


def _summaries(read: Reading) -> dict[str, Sequence[Any]]:
    """Return status, crossed, and mean, low and high of accuracy and FLOPs, one per request."""
    n, crossed = len(read.seeds), np.isfinite(read.costs).sum(axis=0)
    conditions = [n == 0, crossed < n, read.bounds.any(axis=0)]
    conditions = np.broadcast_arrays(*conditions)
    status = np.select(conditions, [FAILED, NOT_REACHED, BOUND], OK)
    columns: dict[str, Sequence[Any]] = {"status": status, "crossed": crossed}
    reached = np.isin(status, (OK, BOUND))
    logs = np.log(np.where(reached, read.costs, 1.0))
    # An interval by t knows nothing of the ends of a scale.
    as_share = partial(np.clip, a_min=0.0, a_max=1.0)
    for name, values, back in (("accuracy", read.accuracies, as_share), ("flops", logs, np.exp)):
        parts = (values.mean(axis=0), *t_interval(values)) if n else [crossed] * 3
        for part, value in zip(("mean", "low", "high"), parts, strict=True):
            columns[f"{name}_{part}"] = np.where(reached, back(value), np.nan)
    return columns


def _ratio_columns(ratios: Mapping[str, Ratio], length: int, alone: int) -> dict[str, Array]:
    """Return the columns of :data:`RATIO_PARTS` to every reference; NaN where there is none."""
    columns = {}
    for reference in REFERENCES:
        ratio, values = ratios.get(reference), [np.full(length, np.nan)] * len(RATIO_PARTS)
        if ratio is not None:
            tests = length - alone
            corrected = np.append(holm(ratio.p[:tests]), ratio.p[tests:])
            values = [ratio.estimate, ratio.low, ratio.high, ratio.p, corrected]
        for part, value in zip(RATIO_PARTS, values, strict=True):
            columns[f"flops_vs_{reference}_{part}"] = value
    return columns


_AXES = ["experiment", "pruning", "delta"]


def headline_rows(run: Run, names: Names) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``headline.csv`` from ``matched.csv``.

    One row per experiment, pruning, delta, baseline and merger, for the combination with the
    largest factor; bounds of a factor stand behind factors. ``factor`` is the baseline's FLOPs
    divided by the merger's. A baseline that is itself only bounded from above, or that does not
    come within delta, gives no factor.
    """
    matched = run.rows("matched", requirement=MEAN)
    prunings = matched.groupby("experiment")["pruning"]
    # Every row under the pruning of its baselines.
    compared = matched.assign(
        pruning=prunings.transform(lambda rows: rows.map(partial(names.beside, rows=rows.unique())))
    )
    paper = published("headline").set_index("against")["factor"]
    for reference in REFERENCES:
        base = select(matched, merging=reference, status=BOUND)
        bounded = pd.MultiIndex.from_frame(base[[*_AXES, "combination"]])
        places = pd.MultiIndex.from_frame(compared[[*_AXES, "combination"]])
        mean, low, high, p = (
            f"flops_vs_{reference}_{name}" for name in ("mean", "low", "high", "p")
        )
        candidates = matched[~places.isin(bounded) & (matched["merging"] != reference)]
        candidates = candidates.dropna(subset=mean)
        candidates = candidates.assign(is_bound=candidates["status"] != OK)
        axes = [*_AXES, "merging"]
        first = candidates.sort_values([*axes, "is_bound", mean], kind="stable")
        for best in first.drop_duplicates(axes).to_dict("records"):
            yield {name: best[name] for name in (*axes, "combination", "status")} | {
                "against": reference,
                "n": int(best["n"]),
                "factor": 1 / best[mean],
                "low": _inverse(best[high]),
                "high": _inverse(best[low]),
                "p": best[p],
                "paper": paper[reference],
            }


def _inverse(ratio: float) -> float:
    # Of two or three seeds the lower end may be 0.0000 in the file.
    return 1 / ratio if ratio else float("inf")
