"""How fast the greedy regrouping is: against recomputing every candidate, and as the layer grows.

Run ``python -m benchmarks.regrouping [--out CSV]``. Rounds are interleaved, so that a busy machine
slows both sides alike. Each row of the CSV is a ratio with a 95 % bootstrap interval over n rounds:

- ``naive``: time of recomputing every candidate from its activations, over ours, for the same
  search to the end of the same layer.
- ``neurons``, ``samples``, ``labels``: our time at this size over our time at the smallest size.
"""

import argparse
import itertools
import os
import platform
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.tables import write_csv
from pam.information import DEFAULT_NOISE_VARIANCE
from pam.merging.regrouping import TIE_TOLERANCE, irrelevant_order

FIELDS = (
    "benchmark", "neurons", "samples", "labels", "seconds", "ratio", "low", "high", "n",
    "peak_gib", "threads", "machine",
)  # fmt: skip
GROWTH = {
    "neurons": [(neurons, 128, 20) for neurons in (128, 256, 512, 1024)],
    "samples": [(128, samples, 20) for samples in (64, 128, 256, 512)],
    "labels": [(128, 128, labels) for labels in (1, 5, 20, 40)],
}
# So small that no joint information saturates: the search never gets cheaper on its way.
ACTIVATION_SCALE = 0.01

Size = tuple[int, int, int]
Timer = Callable[[], float]


def layer(size: Size) -> tuple[Tensor, Tensor]:
    """Return rectified noise (samples, neurons) and random labels (samples, labels)."""
    neurons, samples, n_labels = size
    generator = torch.Generator().manual_seed(neurons * samples + n_labels)
    noise = torch.randn(samples, neurons, generator=generator)
    labels = (torch.rand(samples, n_labels, generator=generator) < 0.25) * 2 - 1
    return noise.relu() * ACTIVATION_SCALE, labels


def naive_information(x: Tensor, labels: Tensor) -> float:
    """Return the joint information of ``x`` from its activations, one entropy per class."""

    def log_density(part: Tensor) -> float:
        distance = torch.cdist(part, part, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        kernel = torch.exp(-distance / (2 * DEFAULT_NOISE_VARIANCE))
        return float(kernel.mean(1).log().sum()) / len(x)

    whole = log_density(x)
    parts = [x[column == value] for column in labels.T for value in (-1, 1)]
    return sum(log_density(part) for part in parts if len(part)) - labels.shape[1] * whole


def naive_order(activations: Tensor, labels: Tensor) -> list[int]:
    """Return the greedy order with every candidate set evaluated from its activations."""
    activations = activations.double()
    order: list[int] = []
    free = list(range(activations.shape[1]))
    while free:
        joint = [naive_information(activations[:, [*order, i]], labels) for i in free]
        lowest = min(joint) + TIE_TOLERANCE
        order.append(free.pop(next(k for k, value in enumerate(joint) if value <= lowest)))
    return order


def timer(search: Callable[[Tensor, Tensor], object], size: Size) -> Timer:
    """Return a function that runs ``search`` once over the layer of a size and times it."""
    activations, labels = layer(size)

    def seconds() -> float:
        start = time.perf_counter()
        search(activations, labels)
        return time.perf_counter() - start

    return seconds


def interleaved(timers: Sequence[Timer], rounds: int) -> list[list[float]]:
    """Return the seconds of every timer in every round, after one round of warm-up each."""
    seconds: list[list[float]] = [[] for _ in timers]
    for repeat in range(rounds + 1):
        for record, measure in zip(seconds, timers, strict=True):
            elapsed = measure()
            if repeat:
                record.append(elapsed)
    return seconds


def interval(values: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median."""
    generator = random.Random(0)
    medians = sorted(
        statistics.median(generator.choices(values, k=len(values))) for _ in range(draws)
    )
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def machine() -> str:
    """Return the processor and the number of cores this process may use."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{models[0] if models else platform.processor()}, {cores} cores"


def row(name: str, size: Size, seconds: Sequence[float], ratios: Sequence[float]) -> dict:
    """Return one row of the CSV; ``peak_gib`` is the highest memory of the process so far."""
    low, high = interval(ratios)
    # Linux counts in KiB, macOS in bytes.
    unit = 2**30 if sys.platform == "darwin" else 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    numbers = (statistics.median(seconds), statistics.median(ratios), low, high)
    measured = [f"{number:.4g}" for number in numbers]
    tail = [len(ratios), f"{peak:.2f}", torch.get_num_threads(), machine()]
    return dict(zip(FIELDS, [name, *size, *measured, *tail], strict=True))


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the ratios of two lists of times, round by round."""
    return [a / b for a, b in zip(over, under, strict=True)]


def against_naive(neurons: Iterable[int], rounds: int) -> Iterable[dict]:
    """Yield the ratio to the naive search at some numbers of neurons, 128 samples, 20 labels."""
    for size in ((count, 128, 20) for count in neurons):
        ours, naive = interleaved([timer(irrelevant_order, size), timer(naive_order, size)], rounds)
        yield row("naive", size, ours, ratios(naive, ours))


def growth(rounds: int) -> Iterable[dict]:
    """Yield our time at every size of every axis over that at the axis' smallest size."""
    for axis, sizes in GROWTH.items():
        times = interleaved([timer(irrelevant_order, size) for size in sizes], rounds)
        for size, seconds in zip(sizes, times, strict=True):
            yield row(axis, size, seconds, ratios(seconds, times[0]))


def main() -> None:
    """Measure, print every row as it comes, and write them all to the CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="benchmarks/regrouping.csv", help="CSV to write")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds per row (n)")
    parser.add_argument(
        "--naive",
        type=int,
        nargs="*",
        default=[16, 32, 64],
        metavar="NEURONS",
        help="layers to search naively as well; 256 neurons take minutes per round",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    for measured in itertools.chain(
        against_naive(arguments.naive, arguments.rounds), growth(arguments.rounds)
    ):
        print(*(f"{key}={value}" for key, value in measured.items()), flush=True)
        rows.append(measured)
    write_csv(arguments.out, FIELDS, rows)


if __name__ == "__main__":
    main()
