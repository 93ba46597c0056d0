"""How long networks take: interleaved rounds, so that a slow moment of the machine hits all."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from time import perf_counter_ns

import numpy as np
import torch
from torch import Tensor, nn

from pam.errors import ConfigError
from pam.training.evaluate import evaluation_mode

BACKEND = "torch"


@dataclass(frozen=True)
class Timing:
    """Wall time of one forward pass: median, 5th and 95th percentile over rounds.

    Attributes:
        name: which network.
        batch_size: images of a pass.
        threads: torch threads.
        backend: what ran it, e.g. ``"torch"``.
        median_ms, low_ms, high_ms: milliseconds per pass (not per image).
        rounds: timed passes.
    """

    name: str
    batch_size: int
    threads: int
    backend: str
    median_ms: float
    low_ms: float
    high_ms: float
    rounds: int


def latencies(
    networks: Mapping[str, nn.Module],
    input_shape: tuple[int, int, int],
    *,
    batch_sizes: Sequence[int] = (1,),
    threads: int = 1,
    rounds: int = 20,
    warmup: int = 3,
) -> list[Timing]:
    """Time the forward pass of several networks, in rounds A B C, A B C, ...

    The networks run in evaluation mode, without autograd, on the device they are on; they are
    left in the mode they came in, and the number of torch threads is restored.

    Raises:
        ConfigError: if a batch size, ``threads`` or ``rounds`` is below 1, or ``warmup`` below 0.
    """
    if min(threads, rounds, warmup + 1, *batch_sizes) < 1:
        raise ConfigError(
            f"latency needs batch sizes, threads and rounds of at least 1 and warmup of at least "
            f"0, not {list(batch_sizes)}, {threads}, {rounds} and {warmup}"
        )
    timings = []
    with torch.inference_mode(), _threads(threads), evaluation_mode(*networks.values()):
        for batch_size in batch_sizes:
            images = {name: _images(net, batch_size, input_shape) for name, net in networks.items()}
            for _ in range(warmup):
                for name, network in networks.items():
                    network(images[name])
            times = np.empty((rounds, len(networks)))
            for round_ in range(rounds):
                for column, (name, network) in enumerate(networks.items()):
                    times[round_, column] = _time(network, images[name])
            low, median, high = np.percentile(times, (5, 50, 95), axis=0)
            timings += [
                Timing(name, batch_size, threads, BACKEND, *map(float, spread), rounds)
                for name, *spread in zip(networks, median, low, high, strict=True)
            ]
    return timings


def _time(network: nn.Module, images: Tensor) -> float:
    """Milliseconds of one forward pass."""
    _wait(images)
    start = perf_counter_ns()
    network(images)
    _wait(images)
    return (perf_counter_ns() - start) / 1e6


def _wait(images: Tensor) -> None:
    # A GPU works on while the call has long returned.
    if images.is_cuda:
        torch.cuda.synchronize(images.device)


def _images(network: nn.Module, batch_size: int, input_shape: tuple[int, int, int]) -> Tensor:
    like = next(chain(network.parameters(), network.buffers()), torch.empty(0))
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch_size, *input_shape, generator=generator).to(like)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
