"""The networks as measured behind matched costs: which meet delta, and what they cost."""

import math

import numpy as np
import pandas as pd

from pam.reporting.names import ANY_REQUEST
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import ratio_interval
from pam.reporting.statistics.latency import default_points
from pam.reporting.statistics.matched import (
    DEFAULT_DELTA,
    NOT_REACHED,
    OK,
    Weights,
    labelled_requests,
)
from pam.reporting.tables.cell_text import (
    DASHES,
    NO_NETWORK,
    NOT_ASKED,
    Lookup,
    Row,
    interval,
    noted_table,
    number,
)
from pam.reporting.tables.text_table import Document, TextTable

RULE = (
    f"the cheapest network measured whose validation accuracy lies at most {DEFAULT_DELTA:g} "
    "percentage point below the single-task networks for every task"
)
_POINT = ["pruning", "merging", "seed", "combination"]


def operating_points(run: Run, experiment: str) -> Document | None:
    """Return the actual networks: per seed, the cheapest that meets the default delta."""
    points = default_points(run, experiment)
    if points.empty:
        return None
    lookup = Lookup(run.names, points, _POINT)
    combinations = lookup.values("combination")
    requests = _requests(run, combinations)
    del requests[ANY_REQUEST]
    rows = []
    for pruning, merging, seed in lookup.places("pruning", "merging", "seed"):
        networks = {name: lookup.get(pruning, merging, seed, name) for name in combinations}
        labels = [run.names.pruning(pruning), run.names.merging(merging), f"{seed:.0f}"]
        rows.append([*labels, *_network(networks, [*requests.values()])])
    header = ["pruning", "merging", "seed", "strength", "loss", "accuracy (%)"]
    header += [f"MFLOPs {name}" for name in requests] + ["parameters"]
    return Document(
        title=f"{run.title(experiment)}: the networks that meet δ",
        intro=f"Per seed, {RULE}. Networks that share nothing choose a strength each. Loss: "
        "percentage points of validation accuracy below the single-task network, of the worst "
        "task; negative: above it. Loss, test accuracy and parameters are of all tasks together. "
        "Of more than two tasks the MFLOPs are means over all combinations of as many tasks.",
        tables=[noted_table("Operating points", header, rows, 4, reached=NO_NETWORK)],
        numbers=run.text_rows(
            "operating_points", experiment=experiment, delta=f"{DEFAULT_DELTA:.2f}"
        ),
    )


def _requests(run: Run, combinations: list[str]) -> dict[str, Weights]:
    """Return label -> the likely combinations of a request and their weights."""
    return {
        label: {name: weight for name, weight in zip(combinations, weights, strict=True) if weight}
        for label, weights in labelled_requests(combinations, run.likely).items()
    }


def _network(networks: dict[str, Row | None], requests: list[Weights]) -> list[str]:
    """Return strength, loss, accuracy, MFLOPs per request and parameters of one seed."""
    ok = {name: row for name, row in networks.items() if row and row["status"] == OK}
    flops = [_mean_flops(ok, weights) for weights in requests]
    costs = [DASHES[NOT_REACHED] if math.isnan(one) else number(one, "#.3g") for one in flops]
    whole = ok.get(list(networks)[-1])
    if whole is None:
        return [*[DASHES[NOT_REACHED]] * 3, *costs, DASHES[NOT_REACHED]]
    loss, accuracy = number(whole["validation_margin"], ".2f"), 100 * whole["accuracy"]
    first = [whole["strengths"], loss, number(accuracy, ".2f")]
    return [*first, *costs, number(whole["parameters"], ",.0f")]


def _mean_flops(ok: dict[str, Row], weights: Weights) -> float:
    """Return the mean MFLOPs over combinations of one seed; NaN where one is missing."""
    if not ok.keys() >= weights.keys():
        return math.nan
    flops = [ok[name]["flops"] for name in weights]
    return 1e-6 * float(np.average(flops, weights=[*weights.values()]))


def cheapest_networks(run: Run, experiment: str) -> TextTable:
    """Return what the operating points cost, to stand beside costs read from fitted curves."""
    points = default_points(run, experiment)
    lookup = Lookup(run.names, points, _POINT)
    combinations, mergings = lookup.values("combination"), lookup.values("merging")
    asked = set(lookup.places("pruning", "merging"))
    ok = points[points["status"] == OK]
    rows = [
        [
            *(run.names.pruning(pruning), tasks),
            *(
                _cost(ok[(ok["pruning"] == pruning) & (ok["merging"] == merging)], weights, seeds)
                if (pruning, merging) in asked
                else NOT_ASKED
                for merging in mergings
            ),
        ]
        for seeds in [points["seed"].nunique()]
        for pruning in lookup.values("pruning")
        for tasks, weights in _requests(run, combinations).items()
    ]
    header = ["pruning", "tasks", *map(run.names.merging, mergings)]
    note = f"Not read from a curve: of every seed {RULE}; geometric means."
    title = "Computation of the cheapest network measured (MFLOPs)"
    return noted_table(title, header, rows, 2, notes=[note], reached=NO_NETWORK)


def _cost(points: pd.DataFrame, weights: Weights, seeds: int) -> str:
    """Return the geometric mean over seeds, if every one has a network for all combinations."""
    costs = {}
    for seed, rows in points.groupby("seed"):
        one = _mean_flops({row["combination"]: row for row in rows.to_dict("records")}, weights)
        if not math.isnan(one):
            costs[int(seed)] = one
    if len(costs) < seeds:
        return f"{DASHES[NOT_REACHED]} ({len(costs)}/{seeds})"
    return interval(*ratio_interval(costs, dict.fromkeys(costs, 1.0))[1:], "#.3g")
