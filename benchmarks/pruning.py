"""What gates and importance cost in training, against a step without and against a second pass.

Run ``python -m benchmarks.pruning [--out CSV]``. A step is that of two LeNet-5 in one network,
every second unit shared or none. In ``masked`` steps the gates have half of all units off.
"""

from collections.abc import Callable, Iterator, Sequence

import torch

from benchmarks.inputs import Shape, partly_shared
from benchmarks.rows import Case, Row, command_line, save, times_as_long, times_faster
from benchmarks.timing import interleaved, timed
from pam.networks import GroupedNetwork
from pam.pruning.importance import Importance
from pam.pruning.units import unit_keys
from pam.pruning.vibnet import Bottleneck, kl_coefficients
from pam.training import Schedule, descend, multitask_loss, nesterov

BATCH = 32
RATE = 0.001
SCHEDULE = Schedule((), BATCH)
LABELS = 5
TASKS = "AB"
WANTED = "ratio<=1"

Step = Callable[[], object]


class Steps:
    """Kinds of steps on one batch, each with a network of its own."""

    def __init__(self, shape: Shape, shared: bool) -> None:
        generator = torch.Generator().manual_seed(0)
        every = 2 if shared else 0
        self._make = lambda: partly_shared("lenet5", shape, LABELS, TASKS, every).train()
        self._images = torch.randn(BATCH, *shape, generator=generator)
        self._labels = {
            task: (torch.rand(BATCH, LABELS, generator=generator) < 0.5) * 2.0 - 1 for task in TASKS
        }

    def plain(self) -> Step:
        """Return a training step without gates."""
        network = self._make()
        optimiser = nesterov(network, RATE, SCHEDULE)
        return lambda: descend(network, optimiser, self._images, self._labels)

    def vibnet(self) -> Step:
        """Return a training step with the noisy gates of VIBNet and their penalty."""
        network = self._make()
        gates = Bottleneck.fresh(network, 0)
        optimiser = nesterov(network, RATE, SCHEDULE, gates.parameters())
        kinds = {"conv": 1.0, "fc": 1.0}
        coefficients = kl_coefficients(network.architecture, "inverse_side", kinds)

        def step() -> None:
            penalty = lambda: 1e-6 * gates.divergence(coefficients, ())  # noqa: E731
            descend(network, optimiser, self._images, self._labels, gates, penalty)
            gates.project()

        return step

    def taylor(self) -> Step:
        """Return a training step that also takes up the importance of all units."""
        network = self._make()
        return self._taylor(network, Importance(network, "squared", 0.9))

    def masked(self) -> Step:
        """Return the same step once half of all units are off."""
        network = self._make()
        importance = Importance(network, "squared", 0.9)
        self._taylor(network, importance)()
        importance.close_interval()
        importance.switch_off(sum(units for _, units in unit_keys(network)) // 2, ())
        return self._taylor(network, importance)

    def _taylor(self, network: GroupedNetwork, importance: Importance) -> Step:
        optimiser = nesterov(network, RATE, SCHEDULE)

        def step() -> None:
            descend(network, optimiser, self._images, self._labels, importance)
            importance.observe()

        return step

    def second_pass(self) -> Step:
        """Return a plain training step, then a pass of its own for the importance."""
        network = self._make()
        optimiser = nesterov(network, RATE, SCHEDULE)
        importance = Importance(network, "squared", 0.9)

        def step() -> None:
            descend(network, optimiser, self._images, self._labels)
            scores = network(self._images, gate=importance)
            multitask_loss(scores, self._labels).backward()
            importance.observe()

        return step


def measure(shape: Shape, shared: bool, steps: int, rounds: int, threads: int) -> Iterator[Row]:
    """Yield the rows of a network with or without shared units."""
    kinds = Steps(shape, shared)

    def repeated(step: Step) -> Callable[[], None]:
        def work() -> None:
            for _ in range(steps):
                step()

        return work

    made = {
        "plain": kinds.plain(),
        "vibnet": kinds.vibnet(),
        "taylor": kinds.taylor(),
        "taylor, masked": kinds.masked(),
        "second pass": kinds.second_pass(),
    }
    times = interleaved([timed(repeated(step)) for step in made.values()], rounds)
    seconds = {name: [t / steps for t in one] for name, one in zip(made, times, strict=True)}
    groups = "mixed" if shared else "exclusive"
    varied = {"pixels": f"{shape[1]}x{shape[2]}", "groups": groups, "batch": BATCH}

    for name in ("vibnet", "taylor", "taylor, masked"):
        case = Case("pruning", name, varied, threads, WANTED)
        yield times_as_long(case, seconds[name], "a step without gates", seconds["plain"])
    case = Case("pruning", "taylor", varied, threads)
    theirs = seconds["second pass"]
    yield times_faster(case, seconds["taylor"], "a step and a second pass", theirs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print every row as it comes, and write them all to the CSV."""
    parser = command_line("pruning", __doc__, rounds=15)
    parser.add_argument("--size", type=int, nargs=2, default=[28, 112], help="image, in pixels")
    parser.add_argument("--steps", type=int, default=20, help="steps per round")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)

    def rows() -> Iterator[Row]:
        for shared in (False, True):
            yield from measure((1, *given.size), shared, given.steps, given.rounds, given.threads)

    save(given.out, rows())


if __name__ == "__main__":
    main()
