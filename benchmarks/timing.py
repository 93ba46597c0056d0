"""How benchmarks measure: interleaved rounds, intervals, memory of a process of its own.

Rounds are interleaved (A B C, A B C, ...), so that a busy machine slows all sides alike, and ratios
are taken round by round.
"""

import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pam.runs.machine import cores, environment

Timer = Callable[[], float]
"""Does the work once and returns its seconds."""


def timed(work: Callable[[], object]) -> Timer:
    """Return a timer of a function that takes nothing."""

    def seconds() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return seconds


def interleaved(timers: Sequence[Timer], rounds: int, warm_ups: int = 1) -> list[list[float]]:
    """Return the seconds of every timer in every round, after some rounds that do not count."""
    seconds: list[list[float]] = [[] for _ in timers]
    for repeat in range(warm_ups + rounds):
        for record, measure in zip(seconds, timers, strict=True):
            elapsed = measure()
            if repeat >= warm_ups:
                record.append(elapsed)
    return seconds


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the ratios of two lists of times, round by round."""
    return [a / b for a, b in zip(over, under, strict=True)]


def interval(values: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median."""
    generator = random.Random(0)
    medians = sorted(
        statistics.median(generator.choices(values, k=len(values))) for _ in range(draws)
    )
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def processes(count: int) -> ProcessPoolExecutor:
    """Return a pool of processes that start from nothing."""
    return ProcessPoolExecutor(count, get_context("spawn"))


def in_own_process(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Return what a function of a module returns in a fresh process, and the process' peak in GiB.

    A process of its own, because the peak of a process never falls.
    """
    with processes(1) as pool:
        return pool.submit(_with_peak, function, arguments).result()


def in_own_processes(
    function: Callable[..., float], calls: Sequence[tuple[Any, ...]], rounds: int
) -> list[tuple[list[float], float]]:
    """Return of every call its seconds, round by round, and the highest peak in GiB.

    Args:
        function: of a module; called in a fresh process each time, returns its seconds.
        calls: the arguments of every call.
        rounds: interleaved, without a warm-up.
    """
    peaks = [0.0] * len(calls)

    def seconds(index: int) -> float:
        elapsed, peak = in_own_process(function, *calls[index])
        peaks[index] = max(peaks[index], peak)
        return elapsed

    timers = [partial(seconds, index) for index in range(len(calls))]
    return list(zip(interleaved(timers, rounds, warm_ups=0), peaks, strict=True))


def _with_peak(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    result = function(*arguments)
    return result, peak_gib()


def peak_gib() -> float:
    """Return the highest memory that this process has had resident so far, in GiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss, which starts with the memory of the process that started this one.
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(lines[0].split()[1]) / 2**20
    # macOS counts in bytes, other systems in KiB.
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


@cache
def machine() -> str:
    """Return the processor and the number of cores this process may use."""
    return f"{environment()['cpu'] or ''}, {cores()} cores"
