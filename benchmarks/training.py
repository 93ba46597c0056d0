"""How fast training is: against a plain PyTorch loop, and against its bare computations.

Run ``python -m benchmarks.training [--out CSV]``. LeNet-5 with the paper's widths learns random
strips for one epoch per round. The plain loops do what ours does: an epoch of shuffled batches of
32, Nesterov steps, and a validation pass. The bare steps are forward, backward and step of as many
batches that already lie in memory as float32 images, no validation; in torch's own layout of maps
(channels first) and in the layout that the project's networks use (channels last). Last, two
networks are trained by two jobs of one thread each at once, or one after the other by a job of two
threads.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import nn

from benchmarks import plain_loop
from benchmarks.inputs import Shape, noise, plain_module
from benchmarks.rows import Case, Row, command_line, save, times_as_long, times_faster
from benchmarks.timing import interleaved, processes, timed
from pam.data import MultitaskDataset
from pam.networks import SingleTaskNetwork, build
from pam.runs.machine import cores
from pam.training import Schedule, Stage, fit

BATCH = 32
RATE = 0.001
LABELS = 5
THREADS = 1
SIZES: dict[str, Shape] = {"28x112": (1, 28, 112), "16x64": (1, 16, 64)}
"""The paper's strips of four items at a tile of 28 pixels, and those of the profile ``quick``."""

PEERS = {
    "plain loop, 2 workers": ("tensors", 2, "one"),
    "plain loop, 2 workers, threads on all cores": ("tensors", 2, "all"),
    "plain loop, no workers": ("tensors", 0, "one"),
    "plain loop, 2 workers, pictures decoded one by one": ("pictures", 2, "one"),
}
"""Name -> how the images are stored, number of workers of its DataLoader, and on how many cores
torch computes: on all of them for whoever does not say otherwise."""

BARE = {
    "bare steps, channels first": torch.contiguous_format,
    "bare steps, channels last": torch.channels_last,
}
WANTED = {
    "plain loop, 2 workers": "ratio>=3",
    "plain loop, 2 workers, threads on all cores": "ratio>=3",
    "bare steps, channels last": "ratio<=1.15",
}


def lenet(shape: Shape, seed: int = 0) -> SingleTaskNetwork:
    """Return LeNet-5 with the paper's widths, untrained."""
    return build("lenet5", shape, LABELS, task="A", seed=seed)


def ours(network: SingleTaskNetwork, data: MultitaskDataset) -> None:
    """Train for an epoch by the project's loop."""
    fit(network, data, Schedule((Stage(1, RATE),), BATCH), seed=0)


def plain(
    storage: str, workers: int, on: str, shape: Shape, data: MultitaskDataset
) -> Callable[[], object]:
    """Return a function that trains for an epoch by a plain loop."""
    store = {"tensors": plain_loop.tensors, "pictures": plain_loop.Pictures}[storage]
    module = plain_module(lenet(shape))
    parts = [store(data, split, "A") for split in (data.train, data.validation)]

    def epoch() -> None:
        torch.set_num_threads({"one": THREADS, "all": cores()}[on])
        plain_loop.train_epoch(module, *parts, batch_size=BATCH, rate=RATE, workers=workers)
        torch.set_num_threads(THREADS)

    return epoch


def bare(network: nn.Module, data: MultitaskDataset) -> Callable[[], object]:
    """Return a function that takes the steps of an epoch on batches in memory."""
    images, labels = plain_loop.tensors(data, data.train, "A").tensors
    whole = len(images) // BATCH * BATCH
    batches = list(zip(images[:whole].split(BATCH), labels[:whole].split(BATCH), strict=True))
    return partial(plain_loop.bare_steps, network, batches, RATE)


def against_loops(size: str, images: int, rounds: int) -> Iterator[Row]:
    """Yield how many times longer plain loops take, and how much longer ours than bare steps."""
    shape = SIZES[size]
    data = noise(images, shape, LABELS, held_out=max(BATCH, images // 4))
    # Bare steps validate nothing, so neither does the epoch that they are compared with.
    unvalidated = noise(images, shape, LABELS, held_out=1)
    works = [
        partial(ours, lenet(shape), data),
        *(plain(*how, shape, data) for how in PEERS.values()),
        partial(ours, lenet(shape), unvalidated),
        *(
            bare(plain_module(lenet(shape)).to(memory_format=layout), unvalidated)
            for layout in BARE.values()
        ),
    ]
    own, *rest = interleaved([timed(work) for work in works], rounds)
    theirs, own_steps, bares = rest[: len(PEERS)], rest[len(PEERS)], rest[len(PEERS) + 1 :]
    varied = {"pixels": size, "images": images, "batch": BATCH}

    def case(name: str, peer: str) -> Case:
        return Case("training", name, varied, THREADS, WANTED.get(peer, ""))

    for peer, seconds in zip(PEERS, theirs, strict=True):
        yield times_faster(case("epoch", peer), own, peer, seconds)
    for peer, seconds in zip(BARE, bares, strict=True):
        yield times_as_long(case("epoch without validation", peer), own_steps, peer, seconds)


def job(size: str, images: int, seeds: Sequence[int], threads: int) -> None:
    """Train networks one after the other, in whatever process this is called."""
    torch.set_num_threads(threads)
    data = noise(images, SIZES[size], LABELS)
    for seed in seeds:
        ours(lenet(SIZES[size], seed), data)


def two_jobs(size: str, images: int, rounds: int) -> Row:
    """Return how many times longer two networks take in one two-thread job than in two jobs."""
    with processes(2) as pool:

        def at_once() -> None:
            started = [pool.submit(job, size, images, [seed], 1) for seed in (0, 1)]
            for future in started:
                future.result()

        def in_turn() -> None:
            pool.submit(job, size, images, [0, 1], 2).result()

        # A process is slow the first time that it does anything, and either may be given the job.
        at_once_seconds, in_turn_seconds = interleaved(
            [timed(at_once), timed(in_turn)], rounds, warm_ups=2
        )
    varied = {"pixels": size, "images": images, "batch": BATCH}
    case = Case("training", "two networks by two one-thread jobs", varied, 2)
    return times_faster(case, at_once_seconds, "one two-thread job", in_turn_seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print every row as it comes, and write them all to the CSV."""
    parser = command_line("training", __doc__, rounds=9)
    parser.add_argument("--images", type=int, default=3200, help="of the training part")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    given = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)

    def rows() -> Iterator[Row]:
        for size in given.sizes:
            yield from against_loops(size, given.images, given.rounds)
            yield two_jobs(size, given.images, given.rounds)

    save(given.out, rows())


if __name__ == "__main__":
    main()
