"""How fast the greedy regrouping is: against recomputing every candidate, and as the layer grows.

Run ``python -m benchmarks.regrouping [--out CSV]``. Every search goes on until all neurons are
taken. The activations are so small that no joint information saturates, the worst case for the
incremental search, or of scale 1, where it soon does. The naive search has no memory: it evaluates
every candidate set from its activations, as the PAM authors' code does, by one density estimate per
class of every label, as theirs, or by this project's, with one kernel for all labels. Growth is
measured in a fresh process per search, for the memory's sake; ``difference`` counts the places
where two orders differ.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from benchmarks.rows import Case, Row, command_line, save, times_as_long, times_faster
from benchmarks.timing import in_own_processes, interleaved, timed
from pam.information import DEFAULT_NOISE_VARIANCE, mutual_information
from pam.merging.regrouping import TIE_TOLERANCE, irrelevant_order

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
BY_CLASS, BY_KERNEL = "naive search", "naive search, one kernel per set"
WANTED_OF_NAIVE = {(256, BY_CLASS): "ratio>=100; difference<=0"}

Size = tuple[int, int, int]
Information = Callable[[Tensor, Tensor], float]


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


def information_by_class(x: Tensor, labels: Tensor) -> float:
    """Return the joint information of ``x`` (samples, neurons), one entropy per class."""

    def log_density(part: Tensor) -> float:
        distance = torch.cdist(part, part, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        kernel = torch.exp(-distance / (2 * DEFAULT_NOISE_VARIANCE))
        return float(kernel.mean(1).log().sum()) / len(x)

    whole = log_density(x)
    parts = [x[column == value] for column in labels.T for value in (-1, 1)]
    return sum(log_density(part) for part in parts if len(part)) - labels.shape[1] * whole


WAYS: dict[str, Information] = {BY_CLASS: information_by_class, BY_KERNEL: mutual_information}
"""How the naive search evaluates a set."""


def naive_order(activations: Tensor, labels: Tensor, information: Information) -> list[int]:
    """Return the neurons in the order of selection, until all are taken.

    Args:
        activations: float, (samples, neurons).
        labels: -1 or +1, (samples, L).
        information: of a set of neurons about the labels, in nats.
    """
    activations = activations.double()
    order: list[int] = []
    free = list(range(activations.shape[1]))
    while free:
        joint = [information(activations[:, [*order, i]], labels) for i in free]
        lowest = min(joint) + TIE_TOLERANCE
        order.append(free.pop(next(k for k, value in enumerate(joint) if value <= lowest)))
    return order


def against_naive(neurons: int, way: str, kind: str, rounds: int, threads: int) -> Row:
    """Return how many times longer a naive search takes, with 128 samples and 20 labels."""
    size = (neurons, *TYPICAL[1:])
    activations, labels = layer(size, SCALES[kind])
    orders: dict[str, list[int]] = {}

    timers = [
        timed(lambda: orders.update(ours=irrelevant_order(activations, labels).order)),
        timed(lambda: orders.update(naive=naive_order(activations, labels, WAYS[way]))),
    ]
    # Both warm up on a tiny layer: the naive search may take minutes.
    tiny = layer((4, *size[1:]), SCALES[kind])
    irrelevant_order(*tiny)
    naive_order(*tiny, WAYS[way])
    own, theirs = interleaved(timers, rounds, warm_ups=0)
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
    return timed(lambda: irrelevant_order(activations, labels))()


def growth(axis: str, sizes: Sequence[int], kind: str, rounds: int, threads: int) -> Iterator[Row]:
    """Yield our time at every size of an axis over that at its first size."""
    layers = []
    for size in sizes:
        numbers = {**named(TYPICAL), axis: size}
        layers.append((numbers["neurons"], numbers["samples"], numbers["labels"]))
    calls = [(size, SCALES[kind], threads) for size in layers]
    measured = in_own_processes(search_once, calls, rounds)
    for size, (own, peak) in zip(layers, measured, strict=True):
        name, wanted = f"growth with {axis}, {kind}", WANTED.get(size, "")
        case = Case("regrouping", name, named(size), threads, wanted)
        yield times_as_long(case, own, f"{sizes[0]} {axis}", measured[0][0], peak_gib=peak)


def largest(rounds: int, threads: int) -> Row:
    """Return our time and memory for the largest layer, against one of typical size."""
    calls = [(size, SCALES[WORST], threads) for size in (TYPICAL, LARGEST)]
    (typical, _), (own, peak) = in_own_processes(search_once, calls, rounds)
    case = Case("regrouping", f"largest layer, {WORST}", named(LARGEST), threads, WANTED[LARGEST])
    return times_as_long(case, own, "128 neurons and samples", typical, peak_gib=peak)


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
