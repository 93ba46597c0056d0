"""How long sub-networks take: those of all networks and backends in turn, round after round."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pam.cost.backends import Backend, Call, make_backend, torch_threads
from pam.cost.timing import Times, check_rounds, time_interleaved
from pam.errors import ConfigError, DataError
from pam.groups import combination_name, parse_combination
from pam.networks import GroupedNetwork
from pam.training.evaluate import evaluation_mode

REFERENCE = "torch"
"""The backend whose scores are right."""

TOLERANCE = 1e-4
"""Largest difference between the scores of a backend and those of torch; scores are in (-1, 1)."""

Tasks = tuple[str, ...]


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
    check_rounds(rounds, warmup)
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
                where = f"{name}, {combination_name(tasks)}"
                _check_scores(call(), expected[name], backend, where)
            calls[name, tasks, backend] = call
            after()
    return calls


def _check_scores(scores: Sequence[Any], expected: Sequence[Any], backend: str, where: str) -> None:
    for ours, theirs in zip(scores, expected, strict=True):
        difference = float(np.abs(_array(ours) - _array(theirs)).max())
        if not difference <= TOLERANCE:
            raise DataError(
                f"backend '{backend}' computes other scores than torch for {where}: they differ "
                f"by {difference:.2g}, more than {TOLERANCE:g}"
            )


def _array(scores: Any) -> np.ndarray:
    return scores.cpu().numpy() if isinstance(scores, Tensor) else scores


def _images(network: GroupedNetwork, batch_size: int) -> Tensor:
    like = next(chain(network.parameters(), network.buffers()))
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, *network.architecture.input_shape, generator=generator)
    return images.to(like)
