"""The one training loop, for single tasks, merged networks, pruning and fine-tuning."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pam.data import MultitaskDataset, Split
from pam.errors import DataError, DivergenceError
from pam.networks.grouped import GateFunction, GroupedNetwork
from pam.seeds import derive_seed
from pam.training.evaluate import task_accuracies
from pam.training.loss import multitask_loss
from pam.training.schedule import Schedule


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part.

    Attributes:
        stage, epoch: numbers from 0, the epoch over all stages.
        learning_rate: of the stage.
        loss: mean over the steps of the loss, penalty included.
        validation_accuracy: task -> share of right signs.
    """

    stage: int
    epoch: int
    learning_rate: float
    loss: float
    validation_accuracy: dict[str, float]


def batches(
    dataset: MultitaskDataset, split: Split, size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield shuffled batches of normalised images and the float labels of every task.

    The images stay uint8 and are normalised batch by batch; a last incomplete batch is dropped.

    Raises:
        DataError: if the split is smaller than one batch.
    """
    if len(split) < size:
        raise DataError(f"{len(split)} training samples do not fill one batch of {size}")
    device = split.images.device
    order = torch.randperm(len(split), generator=generator).to(device)
    labels = {task: dataset.task_labels(split, task).float() for task in dataset.tasks}
    for index in order[: len(split) // size * size].split(size):
        picked = {task: values[index] for task, values in labels.items()}
        yield dataset.normalise(split.images[index]), picked


def fit(
    network: GroupedNetwork,
    dataset: MultitaskDataset,
    schedule: Schedule,
    seed: int,
    *,
    gate: GateFunction | None = None,
    parameters: Iterable[nn.Parameter] = (),
    parameters_rate: float = 1.0,
    penalty: Callable[[], Tensor] | None = None,
    after_step: Callable[[], None] | None = None,
    description: str = "train",
) -> list[Epoch]:
    """Train a network in place on the tasks it has and return its curve.

    Args:
        network: left in evaluation mode.
        dataset: trains on ``train``, reports accuracy on ``validation``, never sees ``test``.
        schedule: stages, batch size, momentum.
        seed: of the order of the samples.
        gate: passed to the network's forward pass.
        parameters: what to train besides the network's own parameters (a pruner's, say).
        parameters_rate: factor on the learning rate of those.
        penalty: added to the loss in every step.
        after_step: called after every step (gradients are still there).
        description: of the progress bar, which only a terminal shows.

    Raises:
        DivergenceError: if the loss of an epoch is not finite.
        DataError: if the training part does not fill a batch.
    """
    extra = list(parameters)
    curve: list[Epoch] = []
    total = sum(stage.epochs for stage in schedule.stages)
    bar = tqdm(total=total, desc=description, unit="epoch", disable=not sys.stderr.isatty())
    for number, stage in enumerate(schedule.stages):
        optimiser = nesterov(network, stage.learning_rate, schedule, extra, parameters_rate)
        for _ in range(stage.epochs):
            generator = torch.Generator().manual_seed(derive_seed("epoch", seed, len(curve)))
            network.train()
            losses: list[Tensor] = []
            for images, labels in batches(dataset, dataset.train, schedule.batch_size, generator):
                losses.append(descend(network, optimiser, images, labels, gate, penalty))
                if after_step is not None:
                    after_step()
            # One look at the device per epoch: reading every step's loss would wait every step.
            loss = float(torch.stack(losses).mean())
            if not isfinite(loss):
                raise DivergenceError(f"{description}: the loss became {loss}")
            network.eval()
            accuracy = task_accuracies(network, dataset, dataset.validation, gate=gate)
            curve.append(Epoch(number, len(curve), stage.learning_rate, loss, accuracy))
            bar.update()
    bar.close()
    network.eval()
    return curve


def nesterov(
    network: GroupedNetwork,
    learning_rate: float,
    schedule: Schedule,
    extra: Sequence[nn.Parameter] = (),
    extra_rate: float = 1.0,
) -> torch.optim.Optimizer:
    """Return Nesterov SGD over a network's parameters, and others at a rate of their own."""
    groups = [{"params": list(network.parameters())}]
    if extra:
        groups.append({"params": list(extra), "lr": learning_rate * extra_rate})
    return torch.optim.SGD(
        groups, lr=learning_rate, momentum=schedule.momentum, nesterov=True, fused=True
    )


def descend(
    network: GroupedNetwork,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    labels: dict[str, Tensor],
    gate: GateFunction | None = None,
    penalty: Callable[[], Tensor] | None = None,
) -> Tensor:
    """Take one step and return the loss before it, detached; gradients stay readable."""
    optimiser.zero_grad()
    loss = multitask_loss(network(images, gate=gate), labels)
    if penalty is not None:
        loss = loss + penalty()
    loss.backward()
    optimiser.step()
    return loss.detach()
