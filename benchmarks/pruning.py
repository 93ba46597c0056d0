"""How much a step of training costs with the gates of a pruner, against a step without.

Run ``python -m benchmarks.pruning [--out CSV]``. Rounds are interleaved, so that a busy machine
slows all kinds of steps alike. Each row of the CSV is the time of a kind of step over that of a
plain one, round by round, with the 95 % bootstrap interval of the median over n rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.regrouping import interleaved, interval, machine, ratios
from benchmarks.tables import write_csv
from pam.networks import Assembly, GroupedNetwork, build
from pam.pruning.bottleneck import Bottleneck, kl_coefficients
from pam.pruning.importance import Importance
from pam.training import Schedule
from pam.training.loop import descend, nesterov

FIELDS = (
    "step", "groups", "batch", "milliseconds", "ratio", "low", "high", "n", "threads", "machine",
)  # fmt: skip
BATCH = 32
RATE = 0.001


def merged(shape: tuple[int, int, int], tasks: str, shared: bool) -> GroupedNetwork:
    """Return LeNets of several tasks side by side, every second unit shared or none."""
    networks = [build("lenet5", shape, 5, task=task, seed=i) for i, task in enumerate(tasks)]
    assembly = Assembly.unite([Assembly.of(network) for network in networks])
    if shared:
        for layer in assembly.architecture.hidden_layers:
            groups = assembly.groups[layer]
            mixed = [frozenset(tasks) if i % 2 else group for i, group in enumerate(groups)]
            assembly = assembly.assign(layer, mixed)
    return assembly.network()


def timers(shape: tuple[int, int, int], shared: bool, steps: int) -> dict[str, Callable[[], float]]:
    """Return kind of step -> a function that takes ``steps`` of them and returns the seconds."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, *shape, generator=generator)
    labels = {t: (torch.rand(BATCH, 5, generator=generator) < 0.5) * 2.0 - 1 for t in "AB"}
    schedule = Schedule((), BATCH)

    def timed(step: Callable[[], object]) -> Callable[[], float]:
        def seconds() -> float:
            start = time.perf_counter()
            for _ in range(steps):
                step()
            return (time.perf_counter() - start) / steps

        return seconds

    def plain() -> Callable[[], object]:
        network = merged(shape, "AB", shared)
        optimiser = nesterov(network, RATE, schedule)
        return lambda: descend(network, optimiser, images, labels)

    def vibnet() -> Callable[[], object]:
        network = merged(shape, "AB", shared)
        gates = Bottleneck.fresh(network, 0)
        optimiser = nesterov(network, RATE, schedule, gates.parameters())
        kinds = {"conv": 1.0, "fc": 1.0}
        coefficients = kl_coefficients(network.architecture, "inverse_side", kinds)

        def step() -> None:
            penalty = lambda: 1e-6 * gates.divergence(coefficients, ())  # noqa: E731
            descend(network, optimiser, images, labels, gates, penalty)
            gates.project()

        return step

    def taylor() -> Callable[[], object]:
        network = merged(shape, "AB", shared)
        importance = Importance(network, "squared", 0.9)
        optimiser = nesterov(network, RATE, schedule)

        def step() -> None:
            descend(network, optimiser, images, labels, importance)
            importance.observe()

        return step

    return {"plain": timed(plain()), "vibnet": timed(vibnet()), "taylor": timed(taylor())}


def measure(shape: tuple[int, int, int], shared: bool, steps: int, rounds: int) -> list[dict]:
    """Return one row per kind of step."""
    kinds = timers(shape, shared, steps)
    times = interleaved(list(kinds.values()), rounds)
    rows = []
    for kind, seconds in zip(kinds, times, strict=True):
        over = ratios(seconds, times[0])
        values = [statistics.median(over), *interval(over)]
        tail = [rounds, torch.get_num_threads(), machine()]
        groups = "shared and exclusive" if shared else "exclusive"
        milliseconds = 1000 * statistics.median(seconds)
        numbers = [f"{milliseconds:.3f}", *(f"{value:.3f}" for value in values)]
        rows.append(dict(zip(FIELDS, [kind, groups, BATCH, *numbers, *tail], strict=True)))
    return rows


def main() -> None:
    """Measure, print every row, and write them all to the CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="benchmarks/pruning.csv", help="CSV to write")
    parser.add_argument("--size", type=int, nargs=2, default=[28, 112], help="image, in pixels")
    parser.add_argument("--steps", type=int, default=20, help="steps per round")
    parser.add_argument("--rounds", type=int, default=10, help="timed rounds (n)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows = []
    for shared in (False, True):
        rows += measure((1, *given.size), shared, given.steps, given.rounds)
    for row in rows:
        print(*(f"{key}={value}" for key, value in row.items()), flush=True)
    write_csv(given.out, FIELDS, rows)


if __name__ == "__main__":
    main()
