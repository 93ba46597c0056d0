"""Measured time beside FLOPs: of every network, and of those at matched accuracy."""

from pathlib import Path

import pandas as pd

from pam.reporting.names import backend_rank
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK
from pam.reporting.statistics.operating_points import parts_of
from pam.reporting.storage import read_table

SETTING = ["threads", "backend", "batch_size"]
"""What is the same in timings that are compared."""

_NETWORK = ["merging", "pruning", "strength", "seed", "combination"]
_POINT = ["pruning", "merging", "seed", "combination"]


def timed_networks(folder: str | Path, experiment: str) -> pd.DataFrame:
    """Return the timings of an experiment with the FLOPs of what was timed.

    Returns:
        The rows of ``latency.csv``, with the columns ``flops`` and ``n_tasks``.
    """
    timed = select(read_table(folder, "latency"), experiment=experiment)
    measured = select(read_table(folder, "measurements"), experiment=experiment, status=OK)
    return timed.merge(measured[[*_NETWORK, "flops", "n_tasks"]], on=_NETWORK)


def order_settings(timed: pd.DataFrame) -> list[tuple[float, str, float]]:
    """Return the settings (number of threads, backend, batch size) of timings in table order."""
    found = set(timed[SETTING].itertuples(index=False, name=None))
    return sorted(found, key=lambda one: (one[0], backend_rank(one[1]), one[2]))


def default_points(folder: str | Path, experiment: str) -> pd.DataFrame:
    """Return the rows of ``operating_points.csv`` of an experiment at the default delta."""
    points = read_table(folder, "operating_points")
    return select(points, experiment=experiment, delta=DEFAULT_DELTA)


def matched_times(folder: str | Path, experiment: str) -> pd.DataFrame:
    """Return time and FLOPs of the networks at the operating points of the default delta.

    Networks that share nothing run one after the other, each at its own strength: their times add
    up, as their FLOPs do.

    Returns:
        One row per (pruning, merging, seed, combination, threads, backend, batch_size) whose
        network meets delta and was timed: ``ms`` and ``flops``.
    """
    timed = select(read_table(folder, "latency"), experiment=experiment)
    # As the operating points write it.
    strengths = timed["strength"].map("{:g}".format)
    times = timed.assign(strength=strengths).set_index([*_NETWORK, *SETTING])["median_ms"].to_dict()
    settings = order_settings(timed)
    rows = []
    for point in select(default_points(folder, experiment), status=OK).to_dict("records"):
        cell = (point["merging"], point["pruning"])
        parts = parts_of(point["combination"], point["strengths"])
        for setting in settings:
            ms = [
                times.get((*cell, f"{strength:g}", point["seed"], tasks, *setting))
                for tasks, strength in parts
            ]
            if None not in ms:
                axes = (*(point[name] for name in _POINT), *setting)
                rows.append((*axes, sum(ms), point["flops"]))
    return pd.DataFrame(rows, columns=[*_POINT, *SETTING, "ms", "flops"])
