"""How fast the greedy regrouping is: against recomputing every candidate, and as the layer grows.

Run ``python -m benchmarks.regrouping [--out CSV]``. Every search goes on until all neurons are
taken. The activations are so small that no joint information saturates, the worst case for the
incremental search, or of scale 1, where it soon does. Growth is measured in a fresh process per
search, for the memory's sake; ``difference`` counts the places where two orders differ.
"""

import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from benchmarks.naive_regrouping import BY_CLASS, WAYS, naive_order
from benchmarks.rows import Case, Row, command_line, save, times_as_long, times_faster
from benchmarks.timing import in_own_process, interleaved
from pam.merging.regrouping import irrelevant_order

WORST = "worst case"
SCALES = {WORST: 0.01, "saturating": 1.0}
GROWTH = {
    "neurons": [128, 256, 512, 1024],
    "samples": [64, 128, 256, 512],
    "labels": [1, 5, 20, 40],
}
TYPICAL, LARGEST = (128, 128, 20), (1024, 512, 20)
WANTED = {(1024, 128, 20): "seconds<=15; peak_gib<=1", LARGEST: "peak_gib<=4"}
NAIVE_ROUNDS, WORST_ONLY = {128: 3, 256: 1}, {256}
WANTED_OF_NAIVE = {(256, BY_CLASS): "ratio>=100; difference<=0"}

Size = tuple[int, int, int]


def layer(size: Size, scale: float) -> tuple[Tensor, Tensor]:
    """Return rectified noise (samples, neurons) and random labels (samples, labels)."""
    neurons, samples, n_labels = size
    generator = torch.Generator().manual_seed(neurons * samples + n_labels)
    noise = torch.randn(samples, neurons, generator=generator)
    labels = (torch.rand(samples, n_labels, generator=generator) < 0.25) * 2 - 1
    return noise.relu() * scale, labels


def named(size: Size) -> dict[str, int]:
    """Return what the numbers of a size stand for."""
    return dict(zip(GROWTH, size, strict=True))


def against_naive(neurons: int, way: str, kind: str, rounds: int, threads: int) -> Row:
    """Return how many times longer a naive search takes, with 128 samples and 20 labels."""
    size = (neurons, *TYPICAL[1:])
    activations, labels = layer(size, SCALES[kind])
    orders: dict[str, list[int]] = {}

    def ours() -> float:
        start = time.perf_counter()
        orders["ours"] = irrelevant_order(activations, labels).order
        return time.perf_counter() - start

    def naive() -> float:
        start = time.perf_counter()
        orders["naive"] = naive_order(activations, labels, WAYS[way])
        return time.perf_counter() - start

    # Both warm up on a tiny layer: the naive search may take minutes.
    tiny = layer((4, *size[1:]), SCALES[kind])
    irrelevant_order(*tiny)
    naive_order(*tiny, WAYS[way])
    own, theirs = interleaved([ours, naive], rounds, warm_ups=0)
    places = zip(orders["ours"], orders["naive"], strict=True)
    different = sum(one != other for one, other in places)
    wanted = WANTED_OF_NAIVE.get((neurons, way), "")
    case = Case("regrouping", kind, named(size), threads, wanted)
    return times_faster(case, own, way, theirs, difference=different)


def search_once(size: Size, scale: float, threads: int) -> float:
    """Return the seconds of one search, after one over a tiny layer."""
    torch.set_num_threads(threads)
    irrelevant_order(*layer((8, *size[1:]), scale))
    activations, labels = layer(size, scale)
    start = time.perf_counter()
    irrelevant_order(activations, labels)
    return time.perf_counter() - start


def growth(axis: str, sizes: Sequence[int], kind: str, rounds: int, threads: int) -> Iterator[Row]:
    """Yield our time at every size of an axis over that at its first size."""
    layers = []
    for size in sizes:
        numbers = {**named(TYPICAL), axis: size}
        layers.append((numbers["neurons"], numbers["samples"], numbers["labels"]))
    peaks = dict.fromkeys(layers, 0.0)

    def seconds(size: Size) -> float:
        elapsed, peak = in_own_process(search_once, size, SCALES[kind], threads)
        peaks[size] = max(peaks[size], peak)
        return elapsed

    timers = [lambda size=size: seconds(size) for size in layers]
    times = interleaved(timers, rounds, warm_ups=0)
    for size, own in zip(layers, times, strict=True):
        name, wanted = f"growth with {axis}, {kind}", WANTED.get(size, "")
        case = Case("regrouping", name, named(size), threads, wanted)
        yield times_as_long(case, own, f"{sizes[0]} {axis}", times[0], peak_gib=peaks[size])


def largest(rounds: int, threads: int) -> Row:
    """Return our time and memory for the largest layer, against one of typical size."""
    peaks = []

    def seconds(size: Size) -> float:
        elapsed, peak = in_own_process(search_once, size, SCALES[WORST], threads)
        peaks.append(peak)
        return elapsed

    timers = [lambda: seconds(TYPICAL), lambda: seconds(LARGEST)]
    typical, own = interleaved(timers, rounds, warm_ups=0)
    case = Case("regrouping", f"largest layer, {WORST}", named(LARGEST), threads, WANTED[LARGEST])
    return times_as_long(case, own, "128 neurons and samples", typical, peak_gib=max(peaks))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print every row as it comes, and write them all to the CSV."""
    parser = command_line("regrouping", __doc__, rounds=5)
    parser.add_argument(
        "--naive",
        type=int,
        nargs="*",
        default=[16, 32, 64, 128, 256],
        metavar="NEURONS",
        help="layers to search naively as well; 256 neurons take minutes, so only once each",
    )
    for axis, sizes in GROWTH.items():
        parser.add_argument(f"--{axis}", type=int, nargs="*", default=sizes, help="sizes to grow")
    parser.add_argument("--largest", type=int, default=1, help="rounds of the largest layer")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)

    def rows() -> Iterator[Row]:
        for neurons in given.naive:
            rounds = min(given.rounds, NAIVE_ROUNDS.get(neurons, given.rounds))
            for kind in [WORST] if neurons in WORST_ONLY else SCALES:
                for way in WAYS:
                    yield against_naive(neurons, way, kind, rounds, given.threads)
        for kind in SCALES:
            for axis in GROWTH:
                yield from growth(axis, getattr(given, axis), kind, given.rounds, given.threads)
        if given.largest:
            yield largest(given.largest, given.threads)

    save(given.out, rows())


if __name__ == "__main__":
    main()
