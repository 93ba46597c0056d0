"""The actual networks behind the comparison: per seed, the cheapest one that meets delta."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pam.reporting.names import order_combinations
from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA, NOT_REACHED, OK
from pam.reporting.statistics.points import COSTS, Networks, Part
from pam.reporting.statistics.pruning_path import TOLERANCE, Tasks
from pam.reporting.storage import select

_MEASURES = ("strengths", "validation_margin", "accuracy", *COSTS)


def operating_point_rows(
    every: Sequence[Networks], deltas: Sequence[float]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``operating_points.csv``.

    A network meets delta if its drop is at most delta for every task, as it was read, without a
    fit; networks that share nothing choose a strength each. The test part plays no role in the
    choice.
    """
    for networks in every:
        axes = {"experiment": networks.experiment, "pruning": networks.pruning}
        for merging, seeds in networks.parts.items():
            for seed, parts in seeds.items():
                for name in networks.combinations:
                    row = axes | {"merging": merging, "seed": seed, "combination": name}
                    for delta in deltas:
                        chosen = cheapest(parts, frozenset(name.split("&")), delta)
                        yield row | {"delta": delta} | chosen


def cheapest(parts: Sequence[Part], tasks: Tasks, delta: float) -> dict[str, Any]:
    """Return status, strengths, margin, accuracy and costs of the cheapest choice of one seed."""
    running = [(part, tasks & {*part.tasks}) for part in parts if tasks & {*part.tasks}]
    chosen = [_cheapest_index(part, run, delta) for part, run in running]
    if None in chosen:
        return {"status": NOT_REACHED} | dict.fromkeys(_MEASURES)
    points = [(part, run, i) for (part, run), i in zip(running, chosen, strict=True)]
    accuracies = [
        part.accuracies[row, i]
        for part, run, i in points
        for row, task in enumerate(part.tasks)
        if task in run
    ]
    return {
        "status": OK,
        "strengths": _strengths(points),
        "validation_margin": max(part.drops[:, i].max() for part, _, i in points),
        "accuracy": float(np.mean(accuracies)),
    } | {name: int(sum(part.costs[name][run][i] for part, run, i in points)) for name in COSTS}


def _cheapest_index(part: Part, run: Tasks, delta: float) -> int | None:
    worst = part.drops.max(axis=0)
    meets = np.flatnonzero(worst <= delta + TOLERANCE)
    if not len(meets):
        return None
    flops = part.costs["flops"][run]
    order = np.lexsort((part.strengths[meets], worst[meets], flops[meets]))
    return int(meets[order[0]])


def _strengths(points: Sequence[tuple[Part, Tasks, int]]) -> str:
    """Return ``0.5`` for a merged network, ``A: 0.5, B: 1`` for independent ones."""
    strengths = [f"{part.strengths[i]:g}" for part, _, i in points]
    if len(points) == 1:
        return strengths[0]
    names = ("&".join(sorted(run)) for _, run, _ in points)
    return ", ".join(f"{name}: {one}" for name, one in zip(names, strengths, strict=True))


def chosen_strengths(run: Run, experiment: str, delta: float = DEFAULT_DELTA) -> pd.DataFrame:
    """Return the strengths, as text, that meet a delta with all tasks running.

    There is one row per (pruning, merging, seed) that has any.
    """
    points = run.rows("operating_points", experiment=experiment, delta=delta)
    everything = order_combinations(points["combination"])[-1:]
    points = points[points["combination"].isin(everything) & (points["status"] == OK)]
    return points[["pruning", "merging", "seed", "strengths"]]


def parts_of(combination: str, strengths: str) -> list[tuple[str, float]]:
    """Return the tasks and the strength of each independent part of a combination.

    ``strengths`` is ``0.5`` (one part), or ``A: 0.5, B: 1`` for independent networks.
    """
    parts = [part.rpartition(": ") for part in strengths.split(", ")]
    return [(names or combination, float(value)) for names, _, value in parts]


def strength_of(group: str, strengths: str) -> float:
    """Return the strength at which a group, such as ``A`` or ``shared``, was pruned; NaN if not.

    ``strengths`` are as in :func:`parts_of`.
    """
    tasks = set(group.split("&"))
    parts = parts_of(group, strengths)
    return next((value for names, value in parts if tasks <= set(names.split("&"))), float("nan"))


def mean_groups(run: Run, experiment: str, delta: float = DEFAULT_DELTA) -> pd.DataFrame:
    """Return the mean over seeds of how many neurons every group has, as merged and at a delta.

    The columns are pruning (empty: as merged), merging, layer, group, neurons.
    """
    groups = run.rows("groups", experiment=experiment)
    chosen = chosen_strengths(run, experiment, delta)
    merged = select(groups, stage="merged").drop_duplicates(["merging", "seed", "layer", "group"])
    # Strength 0, the network as merged, may be the one that meets delta.
    rows = groups.merge(chosen, on=["pruning", "merging", "seed"])
    pairs = zip(rows["group"], rows["strengths"], strict=True)
    due = [strength_of(group, strengths) for group, strengths in pairs]
    after = rows[np.isclose(rows["strength"], due, rtol=0, atol=1e-6)]
    every = pd.concat([merged.assign(pruning=""), after])
    every["seeds"] = every.groupby(["pruning", "merging"])["seed"].transform("nunique")
    every["neurons"] /= every["seeds"]
    cell = ["pruning", "merging", "layer", "group"]
    return every.groupby(cell, as_index=False)["neurons"].sum()
