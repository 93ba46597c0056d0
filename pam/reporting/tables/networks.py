"""The networks behind matched costs: which meet delta, what they cost, how they were trained."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from pam.reporting.names import ANY_REQUEST
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import Estimate, mean_interval, ratio_interval
from pam.reporting.statistics.latency import default_points
from pam.reporting.statistics.matched import (
    DEFAULT_DELTA,
    NOT_REACHED,
    OK,
    Weights,
    labelled_requests,
)
from pam.reporting.storage import select
from pam.reporting.tables.cell_text import (
    DASHES,
    NO_NETWORK,
    NOT_ASKED,
    Lookup,
    Row,
    brackets,
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
_PHASES = ("prune", "fine_tune")


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
    ok = select(points, status=OK)
    rows = [
        [
            *(run.names.pruning(pruning), tasks),
            *(
                _cost(select(ok, pruning=pruning, merging=merging), weights, seeds)
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


class Training(NamedTuple):
    """What a path took of a task's network; each a mean over tasks, and then over seeds.

    Attributes:
        networks: that were taken, and fine-tuned.
        pruning: epochs under the penalty of the pruner, or of what it trains between two networks.
        fine_tuning: epochs of fine-tuning, of all networks together.
        epochs: in all.
    """

    networks: Estimate
    pruning: Estimate
    fine_tuning: Estimate
    epochs: Estimate


def path_training(run: Run, experiment: str) -> dict[tuple[str, str], Training]:
    """Return (pruning, merging) -> its training; of networks that share nothing, of each alone."""
    rows = run.rows("training", experiment=experiment)
    rows = rows[rows["stage"].isin(_PHASES)]
    axes = ["pruning", "merging", "seed", "task"]
    epochs = rows.groupby([*axes, "stage"]).size().unstack("stage", fill_value=0)
    epochs = epochs.reindex(columns=_PHASES, fill_value=0)
    tuned = rows[rows["stage"] == "fine_tune"].groupby(axes)["strength"].nunique()
    every = epochs.assign(networks=tuned, epochs=epochs.sum(axis=1)).fillna({"networks": 0})
    columns = ["networks", *_PHASES, "epochs"]
    return {
        place: Training(*(mean_interval(seeds[column]) for column in columns))
        for place, part in every.groupby(["pruning", "merging"])
        for seeds in [part.groupby("seed")[columns].mean()]
    }


def paths_table(run: Run, experiment: str) -> TextTable:
    """Return networks and epochs of every row."""
    trained, names = path_training(run, experiment), run.names
    rows = [
        [names.pruning(pruning), names.merging(merging)]
        + [interval(*part[1:], ".1f") if part.mean else "0" for part in trained[pruning, merging]]
        for pruning in names.order_prunings({pruning for pruning, _ in trained})
        for merging in names.order_mergings({one for other, one in trained if other == pruning})
    ]
    header = ["pruning", "merging", "networks", "epochs of pruning", "of fine-tuning", "in all"]
    most = max((one.epochs.n for one in trained.values()), default=0)
    notes = [f"Of a task's network, from the first strength to the last. {brackets(most)}"]
    return noted_table("Networks and training of a path", header, rows, 2, notes=notes)
