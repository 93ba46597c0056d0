"""Joint information of one set of neurons extended by each of many candidates, incrementally.

Squared distances add over neurons, so kernels multiply: with ``K`` the kernel of the set and
``K_c`` that of one candidate, the set with the candidate has the kernel ``K * K_c``. All that the
information needs of it are row sums within the classes of the labels,

    sums[i, l, c] = sum_j K[i, j] [y_il = y_jl] K_c[i, j],

for each sample i a matrix product over j for all labels l and candidates c at once.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

_BLOCK_ELEMENTS = 2**18
_FLOAT64_EXPONENT_BITS = 1000

Map = Callable[[Callable[[Any], Tensor], Iterable[Any]], Iterable[Tensor]]


class LabelClasses:
    """Which samples share a class, per label column.

    Attributes:
        labels: float64 ±1, (rows, L): one row per sample that is not isolated.
        sizes: float64, (rows, L): number of all samples in the class of each row's sample.
        columns: ``labels`` and a last column of ones, as if all samples were of one class.
        samples: number of all samples.
        isolated: summed shares of the isolated samples, in nats: all that their labels allow.
    """

    def __init__(self, labels: Tensor) -> None:
        """Count the classes of ``labels``, float64 ±1, (samples, L)."""
        self.samples = len(labels)
        self.labels = labels
        positive = (labels > 0).sum(0).to(torch.float64)
        self.sizes = torch.where(labels > 0, positive, self.samples - positive)
        self.columns = torch.cat([labels, torch.ones_like(labels[:, :1])], dim=1)
        self.isolated = 0.0
        # The product of this many class means, each at least 1 / samples, does not underflow.
        bits = max(1.0, math.log2(self.samples))
        self._factors = max(1, int(_FLOAT64_EXPONENT_BITS / bits))

    def isolate(self, keep: Tensor) -> None:
        """Treat all samples but those in ``keep`` (row numbers) as alike to themselves alone."""
        gone = torch.ones(len(self.labels), dtype=torch.bool, device=keep.device)
        gone[keep] = False
        self.isolated += float((self.samples / self.sizes[gone]).log().sum()) / self.samples
        self.labels, self.sizes = self.labels[keep], self.sizes[keep]
        self.columns = self.columns[keep]

    def weights(self, kernel: Tensor, rows: slice) -> Tensor:
        """Return the kernel masked by each label's classes, and unmasked as the last label.

        Args:
            kernel: float64, (rows, samples).
            rows: the samples that the rows of ``kernel`` stand for.

        Returns:
            float64, (rows, L + 1, samples).
        """
        same = self.columns[rows, :, None] == self.columns.T[None]
        return kernel[:, None, :] * same

    def shares(self, sums: Tensor, rows: slice) -> Tensor:
        """Return the rows' summed shares of the information, given their class and overall sums.

        Args:
            sums: float64, (rows, L + 1, candidates): row sums of kernels within the class of the
                row's sample for each label, then over all samples. Overwritten.
            rows: the samples that the rows stand for.

        Returns:
            float64, (candidates,), in nats.
        """
        # Divided before the logarithm: a constant neuron then has information exactly zero.
        within = sums[:, :-1].div_(self.sizes[rows, :, None])
        overall = sums[:, -1] / self.samples
        share = overall.log_().mul_(-self.labels.shape[1])
        for factors in within.split(self._factors, dim=1):
            share += factors.prod(1).log_()
        return share.sum(0) / self.samples


class CandidateKernels:
    """The kernels of single neurons that have not been taken yet.

    The neurons sit in slots 0 .. ``len(self) - 1``; the kernels of the first slots are kept as far
    as memory allows, the others are computed whenever they are needed.

    Attributes:
        neurons: index of the neuron in each slot.
    """

    def __init__(
        self, activations: Tensor, noise_variance: float, memory: int, map_blocks: Map = map
    ) -> None:
        """Prepare all neurons.

        Args:
            activations: float64, (samples, neurons).
            noise_variance: variance of the noise, in squared units of the activations.
            memory: bytes that the stored kernels may take.
            map_blocks: calls a function for each block of samples and neurons.
        """
        self._map = map_blocks
        samples, n_neurons = activations.shape
        self._scale = -0.5 / noise_variance
        self._columns = activations.clone()
        self.neurons = list(range(n_neurons))
        stored = min(n_neurons, memory // (samples * samples * activations.element_size()))
        # Candidates are the last axis, so that products and logarithms run along it.
        self._stored = activations.new_empty(samples, samples, stored)
        for row in range(samples):
            self._stored[row] = self._compute(slice(row, row + 1), slice(0, stored))[0]

    def __len__(self) -> int:
        """Number of candidates that have not been taken."""
        return len(self.neurons)

    def joint_information(self, classes: LabelClasses, kernel: Tensor) -> Tensor:
        """Return the information of a set of neurons extended by each candidate.

        Args:
            classes: the labels.
            kernel: float64, (samples, samples): kernel of the set, all ones if it is empty.

        Returns:
            float64, (len(self),), in nats.
        """
        result = kernel.new_full((len(self),), classes.isolated)

        def shares(block: tuple[slice, slice]) -> Tensor:
            rows, slots = block
            weights = classes.weights(kernel[rows], rows)
            return classes.shares(_products(weights, self._kernels(rows, slots)), rows)

        blocks = list(self._blocks(classes.labels.shape[1] + 1))
        # Added in the order of the blocks: the number of threads changes no bit.
        for (_, slots), share in zip(blocks, self._map(shares, blocks), strict=True):
            result[slots] += share
        return result

    def take(self, slot: int) -> Tensor:
        """Remove the candidate in a slot, which the last candidate fills.

        Returns:
            The removed kernel, float64, (samples, samples).
        """
        everyone, last = slice(None), len(self) - 1
        taken = self._kernels(everyone, slice(slot, slot + 1))[:, :, 0].clone()
        if slot < self._stored.shape[2]:
            self._stored[:, :, slot] = self._kernels(everyone, slice(last, last + 1))[:, :, 0]
        self._columns[:, slot] = self._columns[:, last]
        self.neurons[slot] = self.neurons[last]
        self.neurons.pop()
        return taken

    def isolate(self, keep: Tensor) -> None:
        """Forget all samples but those in ``keep`` (ascending row numbers)."""
        # Row by row and in place: a second copy of the stored kernels might not fit.
        for row, source in enumerate(keep.tolist()):
            self._stored[row, : len(keep)] = self._stored[source][keep]
        self._stored = self._stored[: len(keep), : len(keep)]
        self._columns = self._columns[keep]

    def _blocks(self, n_labels: int) -> Iterator[tuple[slice, slice]]:
        """Yield (rows, slots) that cover all; stored and computed slots never share a block."""
        samples = len(self._columns)
        stored = min(self._stored.shape[2], len(self))
        for first, last, per_row in (
            (0, stored, n_labels),
            (stored, len(self), n_labels + samples),
        ):
            width = max(1, _BLOCK_ELEMENTS // per_row)
            for start in range(first, last, width):
                slots = slice(start, min(start + width, last))
                height = max(1, _BLOCK_ELEMENTS // (per_row * (slots.stop - slots.start)))
                for row in range(0, samples, height):
                    yield slice(row, min(row + height, samples)), slots

    def _kernels(self, rows: slice, slots: slice) -> Tensor:
        """Return the kernels of some slots, (rows, samples, slots)."""
        if slots.stop <= self._stored.shape[2]:
            return self._stored[rows, :, slots]
        return self._compute(rows, slots)

    def _compute(self, rows: slice, slots: slice) -> Tensor:
        columns = self._columns[:, slots]
        difference = columns[rows, None, :] - columns[None]
        return difference.square_().mul_(self._scale).exp_()


@contextmanager
def on_all_threads() -> Iterator[Map]:
    """Yield a ``map`` that works on as many threads as torch has, each computing on its own.

    Blocks are too small for the threads of a linear algebra library to help with one of them.
    """
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(count) as pool:
            yield pool.map if count > 1 else map
    finally:
        torch.set_num_threads(count)


def _products(weights: Tensor, kernels: Tensor) -> Tensor:
    """Return the matrix product of every row's weights and kernels."""
    if weights.is_cuda:
        return torch.bmm(weights, kernels)
    # NumPy's library multiplies such flat matrices about twice as fast as torch's.
    return torch.from_numpy(np.matmul(weights.numpy(), kernels.numpy()))
