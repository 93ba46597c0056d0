"""Stochastic gradient descent with Nesterov's momentum."""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

import torch
from torch import nn
from torch.optim.sgd import sgd


class Nesterov:
    """The momentum of a set of parameters, and torch's fused step of SGD that uses it.

    ``torch.optim.SGD`` takes the same steps, bit for bit, but its first use loads torch's
    compiler: more than a second of every job.

    Attributes:
        parameters: what is trained, group after group.
        momentum_buffers: of each parameter, zero before the first step.
    """

    def __init__(
        self, groups: Iterable[tuple[Iterable[nn.Parameter], float]], momentum: float
    ) -> None:
        """Begin at rest.

        Args:
            groups: (parameters, their learning rate).
            momentum: in (0, 1).
        """
        rated = [(one, rate) for parameters, rate in groups for one in parameters]
        self._momentum = momentum
        self._rates = [rate for _, rate in rated]
        self.parameters = [one for one, _ in rated]
        self.momentum_buffers = [
            torch.zeros_like(one, requires_grad=False) for one in self.parameters
        ]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Take a step along the gradients; a parameter without one stays as it is."""
        state = zip(self._rates, self.parameters, self.momentum_buffers, strict=True)
        for rate, members in groupby(state, key=itemgetter(0)):
            moved = [(p, p.grad, buffer) for _, p, buffer in members if p.grad is not None]
            if moved:
                parameters, gradients, buffers = map(list, zip(*moved, strict=True))
                sgd(
                    parameters,
                    gradients,
                    buffers,
                    lr=rate,
                    momentum=self._momentum,
                    nesterov=True,
                    dampening=0,
                    weight_decay=0,
                    maximize=False,
                    fused=True,
                )
