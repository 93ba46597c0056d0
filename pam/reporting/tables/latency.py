"""The table of time at matched accuracy: how many times less than B1 and B2, beside FLOPs."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from pam.reporting.names import backend_name, pooled
from pam.reporting.run import Run
from pam.reporting.schema import INTEGER, TEXT, Table
from pam.reporting.statistics.latency import (
    RATIOS,
    SETTING,
    TIME,
    Place,
    SpeedUps,
    default_points,
)
from pam.reporting.statistics.matched import DEFAULT_DELTA, FAILED, NOT_REACHED
from pam.reporting.tables.cells import DASHES, baseline, fewer, interval, noted_table
from pam.reporting.tables.lookup import in_order
from pam.reporting.tables.text_table import Document

_ESTIMATES = [TIME, *(f"{cost}_vs_{reference}" for cost, reference in RATIOS)]
_AXES = {"experiment": TEXT, "pruning": TEXT, "delta": 2, "merging": TEXT, "combination": TEXT}

SPEED_UPS = Table(
    "speed_ups",
    _AXES
    | {"threads": INTEGER, "backend": TEXT, "batch_size": INTEGER, "n": INTEGER}
    | {f"{name}_{part}": 4 for name in _ESTIMATES for part in ("mean", "low", "high")},
    ("experiment", "pruning", "merging", "combination", *SETTING),
)
"""What the table's CSV file holds; ``_vs_none``: how many times less than B1 a network costs."""


def latency(run: Run, experiment: str) -> Document | None:
    """Return time and speed-up at matched accuracy; None where nothing was timed."""
    points = default_points(run, experiment)
    if run.rows("latency", experiment=experiment).empty or points.empty:
        return None
    n = points["seed"].nunique()
    speed_ups = SpeedUps(run, experiment)
    mergings = in_order(run.names, "merging", points["merging"])
    combinations = in_order(run.names, "combination", points["combination"])
    rows = [
        [
            *(run.names.pruning(place.pruning), f"{place.threads:.0f}"),
            *(backend_name(place.backend), f"{place.batch_size:.0f}"),
            *(tasks, run.names.merging(merging)),
            *_cells(speed_ups, place, merging, names, n),
        ]
        for place in speed_ups.places
        for tasks, names in pooled(combinations).items()
        for merging in mergings
    ]
    numbers = [
        SPEED_UPS.format_row(
            {"experiment": experiment, "delta": DEFAULT_DELTA, **place._asdict()}
            | {"merging": merging, "combination": name}
            | speed_ups.row(place, merging, [name])
        )
        for place in speed_ups.places
        for name in combinations
        for merging in mergings
    ]
    header = ["pruning", "threads", "backend", "batch", "tasks", "merging", "ms"]
    header += [
        f"{'FLOPs' if cost == 'flops' else cost}: × less than {baseline(run.names, reference)}"
        for cost, reference in RATIOS
    ]
    return Document(
        title=f"{run.title(experiment)}: time at matched accuracy",
        intro=f"Per seed, the cheapest network whose validation accuracy lies at most "
        f"{DEFAULT_DELTA:g} percentage point below the single-task networks for every task: "
        "milliseconds of one forward pass of a batch (median over rounds, mean over "
        f"n = {n} seeds), and how many times less FLOPs and time that is than B1 and B2 "
        "take, paired by seed. In square brackets: 95 % bootstrap interval over seeds. Networks "
        "that share nothing run one after the other, and their times add up. Of more than two "
        "tasks, means over all combinations of as many tasks. Each merging was timed by a job of "
        "its own: `pam bench latency` times them in turn.",
        tables=[noted_table("Time and speed-up", header, rows, 6)],
        numbers=pd.DataFrame(numbers, columns=list(SPEED_UPS.columns)),
    )


def _cells(
    speed_ups: SpeedUps, place: Place, merging: str, names: Sequence[str], n: int
) -> Iterator[str]:
    """Yield time and speed-ups of a merger, means over some combinations."""
    row: dict[str, Any] = speed_ups.row(place, merging, names)
    for name in _ESTIMATES:
        mean, low, high = (row[f"{name}_{part}"] for part in ("mean", "low", "high"))
        reference = name.rpartition("_vs_")[2] if name != TIME else merging
        if math.isnan(mean):
            # No seed meets delta, or the networks that do were not timed.
            met = speed_ups.all_meet(place.pruning, (merging, reference), names)
            yield DASHES[FAILED if met else NOT_REACHED]
        elif name == TIME:
            yield interval(mean, low, high, "#.3g") + fewer(row, n)
        else:
            yield "1" if merging == reference else interval(mean, low, high, ".2f")
