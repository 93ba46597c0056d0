"""The state of a training: everything that changes, to be stored and restored."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from pam.files import tensor_hash
from pam.networks.grouped import GroupedNetwork


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


_NETWORK = "network."


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part.

    Attributes:
        stage, epoch: numbers from 0, the epoch over all stages.
        learning_rate: of the stage.
        loss: mean over the steps of the loss, penalty included.
        validation_accuracy: task -> share of right signs, see :func:`pam.training.fit`.
    """

    stage: int
    epoch: int
    learning_rate: float
    loss: float
    validation_accuracy: dict[str, float]


class Progress:
    """The changing parts of one training.

    Attributes:
        optimiser: of the stage under way.
        losses: of the steps of the epoch under way, scalars on the network's device.
        curve: the epochs that are over.
    """

    optimiser: Nesterov

    def __init__(
        self,
        network: GroupedNetwork,
        parameters: Sequence[nn.Parameter],
        generators: Sequence[torch.Generator],
        optimiser_of: Callable[[int], Nesterov],
    ) -> None:
        """Begin a training.

        Args:
            network: is trained in place.
            parameters: are trained besides the network's own.
            generators: draw random numbers during training.
            optimiser_of: makes the optimiser of a stage, from its number.
        """
        self.losses: list[Tensor] = []
        self.curve: list[Epoch] = []
        self._network = network
        self._extra = parameters
        self._generators = generators
        self._optimiser_of = optimiser_of
        self._stage = -1

    def enter(self, stage: int) -> None:
        """Start a stage with a fresh optimiser, unless it is the one under way."""
        if stage != self._stage:
            self._stage = stage
            self.optimiser = self._optimiser_of(stage)

    def close_epoch(
        self, learning_rate: float, loss: float, validation_accuracy: dict[str, float]
    ) -> None:
        """Add an epoch to the curve; the next one starts without losses."""
        number = len(self.curve)
        self.curve.append(Epoch(self._stage, number, learning_rate, loss, validation_accuracy))
        self.losses = []

    @property
    def place(self) -> str:
        """Where the training is, in words, counted from 1."""
        return f"epoch {len(self.curve) + 1}, step {len(self.losses)}"

    def start(self) -> dict[str, Any]:
        """Return what identifies the start of this training, JSON-able."""
        return {
            "network": tensor_hash(self._network.state_dict()),
            "parameters": tensor_hash({str(i): p for i, p in enumerate(self._extra)}),
        }

    def outcome(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the result of a training that is over."""
        tensors = {
            **{_NETWORK + name: tensor for name, tensor in self._network.state_dict().items()},
            **{f"parameter.{i}": tensor for i, tensor in enumerate(self._extra)},
            **{f"generator.{i}": one.get_state() for i, one in enumerate(self._generators)},
        }
        return tensors, {"curve": [asdict(epoch) for epoch in self.curve]}

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the state from which the training can go on, after at least one step."""
        tensors, value = self.outcome()
        for i, buffer in enumerate(self.optimiser.momentum_buffers):
            tensors[f"momentum.{i}"] = buffer
        if self.losses:
            tensors["losses"] = torch.stack(self.losses)
        return tensors, {**value, "stage": self._stage}

    def restore(self, tensors: Mapping[str, Tensor], value: Mapping[str, Any]) -> None:
        """Restore what :meth:`outcome` or :meth:`snapshot` returned."""
        state = {n.removeprefix(_NETWORK): t for n, t in tensors.items() if n.startswith(_NETWORK)}
        self._network.load_state_dict(state)
        self.curve = [Epoch(**epoch) for epoch in value["curve"]]
        with torch.no_grad():
            for i, parameter in enumerate(self._extra):
                parameter.copy_(tensors[f"parameter.{i}"])
        for i, generator in enumerate(self._generators):
            generator.set_state(tensors[f"generator.{i}"])
        if "stage" in value:
            self.enter(value["stage"])
            buffers = self.optimiser.momentum_buffers
            for i, buffer in enumerate(buffers):
                buffer.copy_(tensors[f"momentum.{i}"])
            if "losses" in tensors:
                self.losses = list(tensors["losses"].to(buffers[0].device))
