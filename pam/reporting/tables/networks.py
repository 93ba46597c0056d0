"""The networks behind matched costs: which meet delta, what they cost, how they were trained."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from pam.reporting.names import ANY_REQUEST, order_combinations
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import Estimate, mean_interval
from pam.reporting.statistics.latency import default_points
from pam.reporting.statistics.matched import DEFAULT_DELTA, NOT_REACHED, OK, labelled_requests
from pam.reporting.tables.cell_text import (
    DASHES,
    NO_NETWORK,
    NOT_ASKED,
    Lookup,
    Row,
    brackets,
    fewer,
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
    everything = lookup.values("combination")[-1]
    requests = _request_costs(run, points).drop(columns=ANY_REQUEST)
    rows = []
    for place in lookup.places("pruning", "merging", "seed"):
        labels = [run.names.pruning(place[0]), run.names.merging(place[1]), f"{place[2]:.0f}"]
        rows.append([*labels, *_network(lookup.get(*place, everything), requests.loc[place])])
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


def _request_costs(run: Run, points: pd.DataFrame) -> pd.DataFrame:
    """Return MFLOPs of a request: a row per pruning, merging and seed, a column per label.

    Each is the mean over the combinations that are likely; NaN where a seed has no network of one.
    """
    flops = points.pivot(index=_POINT[:3], columns="combination", values="flops")
    combinations = order_combinations(flops)
    costs = {}
    for label, weights in labelled_requests(combinations, run.likely).items():
        used = weights > 0
        total = flops[combinations].loc[:, used] @ weights[used]
        costs[label] = 1e-6 * total / weights.sum()
    return pd.DataFrame(costs)


def _network(whole: Row | None, flops: pd.Series) -> list[str]:
    """Return strength, loss, accuracy, MFLOPs per request and parameters of one seed."""
    dash = DASHES[NOT_REACHED]
    costs = [dash if math.isnan(one) else number(one, "#.3g") for one in flops]
    if whole is None or whole["status"] != OK:
        return [*[dash] * 3, *costs, dash]
    loss, accuracy = number(whole["validation_margin"], ".2f"), 100 * whole["accuracy"]
    first = [whole["strengths"], loss, number(accuracy, ".2f")]
    return [*first, *costs, number(whole["parameters"], ",.0f")]


def cheapest_networks(run: Run, experiment: str) -> TextTable:
    """Return what the operating points cost, to stand beside costs read from fitted curves."""
    points = default_points(run, experiment)
    lookup, costs = Lookup(run.names, points, _POINT), _request_costs(run, points)
    mergings = lookup.values("merging")
    seeds = points.groupby(["pruning", "merging"])["seed"].nunique()
    asked = set(lookup.places("pruning", "merging"))
    rows = [
        [
            *(run.names.pruning(pruning), tasks),
            *(
                _cost(costs.loc[(pruning, merging), tasks], seeds[pruning, merging], seeds.max())
                if (pruning, merging) in asked
                else NOT_ASKED
                for merging in mergings
            ),
        ]
        for pruning in lookup.values("pruning")
        for tasks in costs
    ]
    header = ["pruning", "tasks", *map(run.names.merging, mergings)]
    note = f"Not read from a curve: of every seed {RULE}; geometric means."
    title = "Computation of the cheapest network measured (MFLOPs)"
    return noted_table(title, header, rows, 2, notes=[note], reached=NO_NETWORK)


def _cost(flops: pd.Series, seeds: int, most: int) -> str:
    """Return the geometric mean over seeds, if every one has a network for all combinations.

    ``seeds`` is how many were measured, ``most`` how many of another row.
    """
    known = flops.dropna()
    if len(known) < seeds:
        return f"{DASHES[NOT_REACHED]} ({len(known)}/{seeds})"
    mean = interval(*np.exp(mean_interval(np.log(known))[1:]), "#.3g")
    return mean + fewer({"n": seeds}, most)


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
