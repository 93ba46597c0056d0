"""The one training loop, for single tasks, merged networks, pruning and fine-tuning."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from math import isfinite

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from pam.data import MultitaskDataset, Split
from pam.durable import checkpoints
from pam.errors import DataError, DivergenceError, ShapeError
from pam.networks.grouped import GateFunction, GroupedNetwork, ReaderGate
from pam.seeds import derive_seed
from pam.training.evaluate import check_outputs, task_accuracies
from pam.training.progress import Epoch, Nesterov, Progress
from pam.training.schedule import Schedule

WATCHED = 1000
"""Validation images by which a training under way is watched."""


def batches(
    dataset: MultitaskDataset,
    split: Split,
    size: int,
    generator: torch.Generator,
    first: int = 0,
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield shuffled batches of normalised images and the float labels of every task.

    The images stay uint8 and are normalised batch by batch; a last incomplete batch is dropped.

    Args:
        dataset: gives the normalisation and the tasks.
        split: the part to draw from.
        size: of a batch.
        generator: of the order.
        first: the batch to begin with, from 0; the order is the same.

    Raises:
        DataError: if the split is smaller than one batch.
    """
    if len(split) < size:
        raise DataError(
            f"{len(split)} training samples do not fill one batch of {size}; lower 'batch_size'"
        )
    device = split.images.device
    order = torch.randperm(len(split), generator=generator).to(device)
    labels = {task: dataset.task_labels(split, task).float() for task in dataset.tasks}
    for batch in range(first, len(split) // size):
        index = order[batch * size : (batch + 1) * size]
        picked = {task: values[index] for task, values in labels.items()}
        yield dataset.normalise(split.images[index]), picked


def fit(
    network: GroupedNetwork,
    dataset: MultitaskDataset,
    schedule: Schedule,
    seed: int,
    *,
    gate: GateFunction | ReaderGate | None = None,
    parameters: Iterable[nn.Parameter] = (),
    parameters_rate: float = 1.0,
    penalty: Callable[[], Tensor] | None = None,
    after_step: Callable[[], None] | None = None,
    generators: Sequence[torch.Generator] | None = None,
    description: str = "train",
) -> list[Epoch]:
    """Train a network in place on the tasks it has and return its curve.

    Where a journal is kept (:mod:`pam.durable.checkpoints`), a training that was cut off goes on
    from its last checkpoint, and one that is over is not run again.

    Args:
        network: left in evaluation mode.
        dataset: trains on ``train``, never sees ``test``. The curve has accuracies of the first
            :data:`WATCHED` images of ``validation``; after the last epoch, and without a gate, of
            all.
        schedule: stages, batch size, momentum.
        seed: of the order of the samples.
        gate: passed to the network's forward pass.
        parameters: what to train besides the network's own parameters (a pruner's, say).
        parameters_rate: factor on the learning rate of those.
        penalty: added to the loss in every step.
        after_step: called after every step (gradients are still there).
        generators: from which ``gate``, ``penalty`` and ``after_step`` draw. Giving them, or an
            empty list, says that these callbacks change nothing else but ``parameters``; without
            that word, a training with callbacks is not stored, for it may hold more than is seen.
        description: of the progress bar, which only a terminal shows.

    Raises:
        DivergenceError: if the loss of an epoch is not finite.
        DataError: if the training part does not fill a batch.
    """
    extra = list(parameters)
    stages = schedule.stages

    def optimiser_of(stage: int) -> Nesterov:
        return nesterov(network, stages[stage].learning_rate, schedule, extra, parameters_rate)

    def take_step(images: Tensor, labels: dict[str, Tensor]) -> None:
        progress.losses.append(descend(network, progress.optimiser, images, labels, gate, penalty))
        if after_step is not None:
            after_step()

    progress = Progress(network, extra, generators or (), optimiser_of)
    opaque = generators is None and any(f is not None for f in (gate, penalty, after_step))
    epochs = [i for i, stage in enumerate(stages) for _ in range(stage.epochs)]
    bar = tqdm(total=len(epochs), desc=description, unit="epoch", disable=not sys.stderr.isatty())
    with _step(description, schedule, seed, progress, opaque) as step, step.safe_points():
        if step.stored is not None:
            progress.restore(*step.stored)
            bar.update(len(progress.curve))
        for stage in epochs[len(progress.curve) :]:
            progress.enter(stage)
            network.train()
            for images, labels in _rest_of_epoch(dataset, schedule, seed, progress):
                take_step(images, labels)
                if step.due():
                    step.save(progress.snapshot, f"{progress.place} of '{description}'")
            # One look at the device per epoch: reading every step's loss would wait every step.
            loss = float(torch.stack(progress.losses).mean())
            if not isfinite(loss):
                raise DivergenceError(f"{description}: the loss became {loss}")
            network.eval()
            # With a gate it is not yet the network that counts.
            is_result = gate is None and len(progress.curve) + 1 == len(epochs)
            part = dataset.validation if is_result else dataset.validation.first(WATCHED)
            accuracy = task_accuracies(network, dataset, part, gate=gate)
            progress.close_epoch(stages[stage].learning_rate, loss, accuracy)
            bar.update()
        step.finish(progress.outcome)
    bar.close()
    network.eval()
    return progress.curve


def _step(
    description: str, schedule: Schedule, seed: int, progress: Progress, opaque: bool
) -> AbstractContextManager[checkpoints.Step]:
    """Open the journal's step for a training, known by all that it starts from."""
    if opaque:
        return nullcontext(checkpoints.unrecorded())
    return checkpoints.step(
        f"fit {description}",
        lambda: {"schedule": asdict(schedule), "seed": seed, **progress.start()},
    )


def _rest_of_epoch(
    dataset: MultitaskDataset, schedule: Schedule, seed: int, progress: Progress
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Return the batches of the epoch under way that have not been trained on yet."""
    generator = torch.Generator().manual_seed(derive_seed("epoch", seed, len(progress.curve)))
    done = len(progress.losses)
    return batches(dataset, dataset.train, schedule.batch_size, generator, done)


def nesterov(
    network: GroupedNetwork,
    learning_rate: float,
    schedule: Schedule,
    extra: Sequence[nn.Parameter] = (),
    extra_rate: float = 1.0,
) -> Nesterov:
    """Return Nesterov SGD over a network's parameters, and others at a rate of their own."""
    groups = [(network.parameters(), learning_rate), (extra, learning_rate * extra_rate)]
    return Nesterov(groups, schedule.momentum)


def descend(
    network: GroupedNetwork,
    optimiser: Nesterov,
    images: Tensor,
    labels: dict[str, Tensor],
    gate: GateFunction | ReaderGate | None = None,
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


def multitask_loss(scores: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Tensor:
    """Return the sum over tasks of the mean squared error over samples and the task's labels.

    A sum of per-task means, not one mean over all labels: the gradient of a unit that only one
    task uses is then the same in a multitask network as in that task's own network.

    Args:
        scores: task -> float (samples, labels of the task), in (-1, 1).
        labels: task -> float (samples, labels of the task), -1 or +1.

    Raises:
        ShapeError: for a task without labels, or with another number of outputs than labels.
    """
    losses = []
    for task, score in scores.items():
        if task not in labels:
            raise ShapeError(f"there are no labels for task '{task}' of the network")
        check_outputs(task, score, labels[task])
        losses.append(F.mse_loss(score, labels[task]))
    return sum(losses[1:], start=losses[0])
