"""Wall times of calls in interleaved rounds, so that a slow moment of the machine hits all."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from pam.errors import ConfigError

Name = TypeVar("Name", bound=Hashable)

LOW, MEDIAN, HIGH = 5, 50, 95
"""Percentiles over rounds."""


class Spread(NamedTuple):
    """Median, 5th and 95th percentile over rounds, in milliseconds."""

    median_ms: float
    low_ms: float
    high_ms: float


@dataclass(frozen=True, eq=False)
class Times:
    """Wall time of one call, round by round.

    Attributes:
        ms: (rounds,) float64 milliseconds. Element i of two calls of the same run was timed in the
            same round, so their ratios are paired.
    """

    ms: NDArray[np.float64]

    @property
    def spread(self) -> Spread:
        """Median, 5th and 95th percentile."""
        low, median, high = (float(value) for value in np.percentile(self.ms, (LOW, MEDIAN, HIGH)))
        return Spread(median, low, high)


def time_interleaved(
    calls: Mapping[Name, Callable[[], object]],
    *,
    rounds: int = 20,
    warmup: int = 3,
    after_round: Callable[[], object] | None = None,
) -> dict[Name, Times]:
    """Time calls in rounds A B C, A B C, ... and return the times of each.

    Threads, and the mode that networks run in, are the caller's.

    Args:
        calls: name -> what is timed; its result is thrown away. One that only starts work, e.g. on
            a GPU, must wait for it.
        rounds: how often each is timed.
        warmup: how many rounds run before, untimed.
        after_round: called, untimed, after each timed round, e.g. to show progress.

    Raises:
        ConfigError: if ``rounds`` is below 1 or ``warmup`` below 0.
    """
    check_rounds(rounds, warmup)
    for _ in range(warmup):
        for call in calls.values():
            call()
    times = np.empty((len(calls), rounds))
    for round_ in range(rounds):
        for row, call in enumerate(calls.values()):
            start = perf_counter_ns()
            call()
            times[row, round_] = (perf_counter_ns() - start) / 1e6
        if after_round is not None:
            after_round()
    return {name: Times(row) for name, row in zip(calls, times, strict=True)}


def check_rounds(rounds: int, warmup: int) -> None:
    """Refuse fewer than one timed round.

    Raises:
        ConfigError: if ``rounds`` is below 1 or ``warmup`` below 0.
    """
    if rounds < 1 or warmup < 0:
        raise ConfigError(
            f"timing needs at least 1 round and a warm-up of at least 0 rounds, not {rounds} and "
            f"{warmup}"
        )
