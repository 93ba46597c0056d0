"""Wall times of calls and sub-networks in interleaved rounds: a slow moment hits all of them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from time import perf_counter_ns
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pam.cost.backends import Backend, Call, make_backend, torch_threads
from pam.errors import ConfigError, DataError
from pam.groups import combination_name, parse_combination
from pam.networks import GroupedNetwork
from pam.training.evaluate import evaluation_mode

REFERENCE = "torch"
"""The backend whose scores are right."""

TOLERANCE = 1e-4
"""Largest difference between the scores of a backend and those of torch; scores are in (-1, 1)."""

Tasks = tuple[str, ...]
Name = TypeVar("Name", bound=Hashable)


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
        low, median, high = (float(value) for value in np.percentile(self.ms, (5, 50, 95)))
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
    _check_rounds(rounds, warmup)
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


def _check_rounds(rounds: int, warmup: int) -> None:
    if rounds < 1 or warmup < 0:
        raise ConfigError(
            f"timing needs at least 1 round and a warm-up of at least 0 rounds, not {rounds} and "
            f"{warmup}"
        )


@dataclass(frozen=True)
class Timing:
    """Wall time of the forward pass of one sub-network, per pass, not per image.

    Attributes:
        network: which network.
        combination: its tasks that run, such as ``A&B``.
        batch_size: images of a pass.
        threads: threads of the arithmetic.
        backend: what ran it, e.g. ``"torch"``.
        times: of every round; those of one batch size and number of threads share their rounds.
    """

    network: str
    combination: str
    batch_size: int
    threads: int
    backend: str
    times: Times

    def columns(self) -> dict[str, Any]:
        """Return the columns of ``latency.csv`` that follow those of the cell."""
        return {
            "combination": self.combination,
            "batch_size": self.batch_size,
            "threads": self.threads,
            "backend": self.backend,
            **self.times.spread._asdict(),
            "rounds": len(self.times.ms),
        }


def latencies(
    networks: Mapping[str, GroupedNetwork],
    *,
    combinations: Sequence[str] | None = None,
    backends: Sequence[str] = (REFERENCE,),
    batch_sizes: Sequence[int] = (1,),
    threads: Sequence[int] = (1,),
    rounds: int = 20,
    warmup: int = 3,
    progress: Callable[[], object] | None = None,
) -> list[Timing]:
    """Time sub-networks of several networks, in rounds A B C, A B C, ... over all and all backends.

    The networks run in evaluation mode, without autograd, on the device they are on; they are
    left in the mode they came in, and the number of torch threads is restored. Before anything is
    timed every backend computes the scores once, which also compiles, and they are compared with
    torch's.

    Args:
        networks: name -> network.
        combinations: such as ``A&B``; all of each network by default.
        backends: keys of :data:`pam.cost.BACKENDS`, that run here.
        batch_sizes: each is timed in rounds of its own.
        threads: numbers of threads; likewise.
        rounds: timed passes of each.
        warmup: untimed rounds before.
        progress: called after each sub-network that was made ready, and after each timed round.

    Raises:
        ConfigError: if a batch size, ``threads`` or ``rounds`` is below 1, ``warmup`` below 0, a
            backend unknown, or a network has no such combination.
        DataError: if a backend computes other scores than torch.
    """
    if min(*threads, *batch_sizes, 1) < 1:
        raise ConfigError(
            f"latency needs batch sizes and threads of at least 1, not {list(batch_sizes)} and "
            f"{list(threads)}"
        )
    _check_rounds(rounds, warmup)
    made = {name: make_backend(name) for name in backends}
    asked = _asked(networks, combinations)
    after = progress or (lambda: None)
    timings: list[Timing] = []
    with evaluation_mode(*networks.values()):
        for count in threads:
            for batch_size in batch_sizes:
                images = {name: _images(net, batch_size) for name, net in networks.items()}
                with torch_threads(count), torch.inference_mode():
                    calls = _ready(networks, asked, made, images, count, after)
                    times = time_interleaved(calls, rounds=rounds, warmup=warmup, after_round=after)
                timings += [
                    Timing(name, combination_name(tasks), batch_size, count, backend, time)
                    for (name, tasks, backend), time in times.items()
                ]
    return timings


def _asked(
    networks: Mapping[str, GroupedNetwork], combinations: Sequence[str] | None
) -> dict[Tasks, list[str]]:
    """Return combination -> the networks to time it of."""
    asked: dict[Tasks, list[str]] = {}
    for name, network in networks.items():
        own = network.combinations()
        if combinations is not None:
            own = [parse_combination(one, list(network.tasks)) for one in combinations]
        for tasks in dict.fromkeys(own):
            asked.setdefault(tasks, []).append(name)
    return asked


def _ready(
    networks: Mapping[str, GroupedNetwork],
    asked: Mapping[Tasks, Sequence[str]],
    backends: Mapping[str, Backend],
    images: Mapping[str, Tensor],
    threads: int,
    after: Callable[[], object],
) -> dict[tuple[str, Tasks, str], Call]:
    """Return the calls to time, each of which has run once and computed what torch computes.

    Networks that will be compared, those of one combination and backend, follow each other.
    """
    torch_itself = make_backend(REFERENCE)
    calls = {}
    for tasks, names in asked.items():
        eager = {
            name: torch_itself.call(networks[name], tasks, images[name], threads) for name in names
        }
        expected = {name: call() for name, call in eager.items()}
        for (backend, runs), name in product(backends.items(), names):
            call = eager[name]
            if backend != REFERENCE:
                call = runs.call(networks[name], tasks, images[name], threads)
                for ours, theirs in zip(call(), expected[name], strict=True):
                    difference = float(np.abs(_array(ours) - _array(theirs)).max())
                    if not difference <= TOLERANCE:
                        raise DataError(
                            f"backend '{backend}' computes other scores than torch for {name}, "
                            f"{combination_name(tasks)}: they differ by {difference:.2g}, more "
                            f"than {TOLERANCE:g}"
                        )
            calls[name, tasks, backend] = call
            after()
    return calls


def _array(scores: Any) -> np.ndarray:
    return scores.cpu().numpy() if isinstance(scores, Tensor) else scores


def _images(network: GroupedNetwork, batch_size: int) -> Tensor:
    like = next(chain(network.parameters(), network.buffers()))
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, *network.architecture.input_shape, generator=generator)
    return images.to(like)
