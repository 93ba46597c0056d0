"""The actual networks behind the comparison: per seed, the cheapest one that meets delta."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pam.reporting.names import order_combinations
from pam.reporting.run import Run
from pam.reporting.statistics.curves import Curve, Family, common_seeds
from pam.reporting.statistics.frontier import TOLERANCE
from pam.reporting.statistics.matched import DEFAULT_DELTA, DELTAS, NOT_REACHED, OK

_MEASURES = ("strengths", "validation_margin", "accuracy", "flops", "macs", "parameters")


def operating_point_rows(
    compared: Sequence[tuple[str, str, Family]], deltas: Sequence[float] = DELTAS
) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``operating_points.csv``.

    A network meets delta if its validation margin is at most delta for every task; networks that
    share nothing choose a strength each. The test part plays no role in the choice.

    Args:
        compared: (experiment, pruning, curves of every merging).
        deltas: see :data:`pam.reporting.statistics.matched.DELTAS`.
    """
    for experiment, pruning, family in compared:
        for merging, curves_of in family.items():
            for combination, curves in curves_of.items():
                axes = {"experiment": experiment, "pruning": pruning, "merging": merging}
                axes |= {"combination": combination}
                for seed in common_seeds(curves):
                    for delta in deltas:
                        row = axes | {"seed": int(seed), "delta": delta}
                        yield row | cheapest([curve.of_seeds([seed]) for curve in curves], delta)


def cheapest(curves: Sequence[Curve], delta: float) -> dict[str, Any]:
    """Return status, strengths, margin, accuracy and costs of the cheapest choice of one seed.

    ``curves`` are the independent parts of a combination; their costs add up.
    """
    chosen = [_cheapest_index(curve, delta) for curve in curves]
    if None in chosen:
        return {"status": NOT_REACHED} | dict.fromkeys(_MEASURES)
    points = list(zip(curves, chosen, strict=True))
    n_tasks = [len(curve.tasks) for curve in curves]
    accuracy = np.average([curve.accuracy[i] for curve, i in points], weights=n_tasks)
    costs = {
        name: int(sum(getattr(curve, name)[i] for curve, i in points))
        for name in ("flops", "macs", "parameters")
    }
    return {
        "status": OK,
        "strengths": _strengths(points),
        "validation_margin": max(curve.margin[i] for curve, i in points),
        "accuracy": float(accuracy),
    } | costs


def _cheapest_index(curve: Curve, delta: float) -> int | None:
    meets = np.flatnonzero(curve.margin <= delta + TOLERANCE)
    if not len(meets):
        return None
    order = np.lexsort((curve.strength[meets], curve.margin[meets], curve.flops[meets]))
    return int(meets[order[0]])


def _strengths(points: Sequence[tuple[Curve, int]]) -> str:
    """Return ``0.5`` for a merged network, ``A: 0.5, B: 1`` for independent ones."""
    if len(points) == 1:
        curve, index = points[0]
        return f"{curve.strength[index]:g}"
    return ", ".join(f"{'&'.join(c.tasks)}: {c.strength[i]:g}" for c, i in points)


def chosen_strengths(run: Run, experiment: str) -> pd.DataFrame:
    """Return the strengths, as text, that meet the default delta with all tasks running.

    There is one row per (pruning, merging, seed) that has any.
    """
    points = run.rows("operating_points", experiment=experiment, delta=DEFAULT_DELTA)
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
