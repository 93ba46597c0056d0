"""The table of time at matched accuracy: how many times less than B1 and B2, beside FLOPs."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pam.reporting.names import (
    backend_name,
    merging_name,
    order_combinations,
    order_mergings,
    order_prunings,
    pooled,
    pruning_name,
)
from pam.reporting.schema import INTEGER, TEXT, Table
from pam.reporting.statistics.bootstrap import Estimate, mean_interval, ratio_interval
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.latency import SETTING, default_points, matched_times, order_settings
from pam.reporting.statistics.matched import DEFAULT_DELTA, FAILED, NOT_REACHED, OK, REFERENCES
from pam.reporting.storage import read_table
from pam.reporting.tables.cells import DASHES, fewer, interval, notes_for
from pam.reporting.tables.comparison import setting
from pam.reporting.tables.text_table import Document, TextTable

_TIME = "latency_ms"
_RATIOS = [(cost, reference) for reference in REFERENCES for cost in ("flops", "time")]
_ESTIMATES = [_TIME, *(f"{cost}_vs_{reference}" for cost, reference in _RATIOS)]

SPEED_UPS = Table(
    "speed_ups",
    {"experiment": TEXT, "pruning": TEXT, "delta": 2, "merging": TEXT, "combination": TEXT}
    | {"threads": INTEGER, "backend": TEXT, "batch_size": INTEGER, "n": INTEGER}
    | {f"{name}_{part}": 4 for name in _ESTIMATES for part in Estimate._fields[1:]},
    ("experiment", "pruning", "merging", "combination", *SETTING),
)
"""What the table's CSV file holds; ``_vs_none``: how many times less than B1 a network costs."""


class _Place(NamedTuple):
    """Where mergers are compared: a pruning and a setting of timing."""

    pruning: str
    threads: float
    backend: str
    batch_size: float


def speed_ups(folder: Path, experiment: str) -> Document | None:
    """Return time and speed-up at matched accuracy; None where nothing was timed."""
    timed = select(read_table(folder, "latency"), experiment=experiment)
    points = default_points(folder, experiment)
    if timed.empty or points.empty:
        return None
    made = _SpeedUps(points, matched_times(folder, experiment), experiment)
    places = [
        _Place(pruning, *one)
        for pruning in order_prunings(points["pruning"])
        for one in order_settings(timed)
    ]
    header = ["pruning", "threads", "backend", "batch", "tasks", "merging", "ms"]
    header += [
        f"{'FLOPs' if cost == 'flops' else cost}: × less than {merging_name(reference).split()[0]}"
        for cost, reference in _RATIOS
    ]
    rows = list(made.cells(places))
    notes = notes_for([cell for row in rows for cell in row[6:]])
    return Document(
        title=f"{setting(timed)}: time at matched accuracy",
        intro=f"Per seed, the cheapest network whose validation accuracy lies at most "
        f"{DEFAULT_DELTA:g} percentage point below the single-task networks for every task: "
        "milliseconds of one forward pass of a batch (median over rounds, mean over "
        f"n = {made.seeds} seeds), and how many times less FLOPs and time that is than B1 and B2 "
        "take, paired by seed. In square brackets: 95 % bootstrap interval over seeds. Networks "
        "that share nothing run one after the other, and their times add up. Of more than two "
        "tasks, means over all combinations of as many tasks. Each merging was timed by a job of "
        "its own: `pam bench latency` times them in turn.",
        tables=[TextTable("Time and speed-up", header, rows, 6, notes=notes)],
        numbers=pd.DataFrame(made.numbers(places), columns=list(SPEED_UPS.columns)),
    )


class _SpeedUps:
    """Estimates over seeds of one experiment.

    Attributes:
        seeds: how many there are.
    """

    def __init__(self, points: pd.DataFrame, times: pd.DataFrame, experiment: str) -> None:
        self.seeds = points["seed"].nunique()
        self._experiment = experiment
        self._mergings = order_mergings(points["merging"])
        self._combinations = order_combinations(points["combination"])
        reached = select(points, status=OK).groupby(["pruning", "merging", "combination"])["seed"]
        self._reached = {network: set(seeds) for network, seeds in reached}
        self._costs: dict[tuple[_Place, str, str], dict[int, dict[str, float]]] = {}
        for row in times.to_dict("records"):
            place = _Place(*(row[name] for name in _Place._fields))
            costs = self._costs.setdefault((place, row["merging"], row["combination"]), {})
            costs[int(row["seed"])] = {"flops": row["flops"], "time": row["ms"]}

    def numbers(self, places: Sequence[_Place]) -> Iterator[list[str]]:
        """Yield the rows of the CSV file: every combination."""
        axes = {"experiment": self._experiment, "delta": DEFAULT_DELTA}
        for place in places:
            for name in self._combinations:
                for merging in self._mergings:
                    cell = {**axes, **place._asdict(), "merging": merging, "combination": name}
                    yield SPEED_UPS.format_row(cell | self._row(place, merging, [name]))

    def cells(self, places: Sequence[_Place]) -> Iterator[list[str]]:
        """Yield the rows to read: of more than two tasks the means by how many run."""
        for place in places:
            where = [pruning_name(place.pruning), f"{place.threads:.0f}"]
            where += [backend_name(place.backend), f"{place.batch_size:.0f}"]
            for tasks, names in pooled(self._combinations).items():
                for merging in self._mergings:
                    shown = self._shown(place, merging, names)
                    yield [*where, tasks, merging_name(merging), *shown]

    def _row(self, place: _Place, merging: str, names: Sequence[str]) -> dict[str, Any]:
        """Return n and the estimates of the mean over some combinations (often of one)."""
        own = self._means(place, merging, names)
        time = mean_interval(list(own["time"].values()), list(own["time"]), self._experiment)
        row = {"n": time.n, **_columns(_TIME, time)}
        for cost, reference in _RATIOS:
            base = self._means(place, reference, names)[cost]
            ratio = ratio_interval(base, own[cost], self._experiment)
            row |= _columns(f"{cost}_vs_{reference}", ratio)
        return row

    def _means(
        self, place: _Place, merging: str, names: Sequence[str]
    ) -> dict[str, dict[int, float]]:
        """Return FLOPs and time: seed -> mean over combinations, of the seeds that have them."""
        every = [self._costs.get((place, merging, name), {}) for name in names]
        seeds = sorted(set.intersection(*map(set, every)))
        return {
            cost: {seed: sum(one[seed][cost] for one in every) / len(every) for seed in seeds}
            for cost in ("flops", "time")
        }

    def _shown(self, place: _Place, merging: str, names: Sequence[str]) -> Iterator[str]:
        row = self._row(place, merging, names)
        for name in _ESTIMATES:
            mean, low, high = (row[f"{name}_{part}"] for part in Estimate._fields[1:])
            reference = name.rpartition("_vs_")[2] if name != _TIME else merging
            if math.isnan(mean):
                yield self._dash(place.pruning, (merging, reference), names)
            elif name == _TIME:
                yield interval(mean, low, high, "#.3g") + fewer(row, self.seeds)
            else:
                yield "1" if merging == reference else interval(mean, low, high, ".2f")

    def _dash(self, pruning: str, mergings: Sequence[str], names: Sequence[str]) -> str:
        """Return the sign of what is not known: no seed meets delta, or such were not timed."""
        every = [
            self._reached.get((pruning, merging, name), set())
            for merging in mergings
            for name in names
        ]
        return DASHES[FAILED if set.intersection(*every) else NOT_REACHED]


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {f"{name}_{part}": value for part, value in estimate._asdict().items() if part != "n"}
