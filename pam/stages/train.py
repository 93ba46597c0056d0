"""Train the single-task network of one task."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from pam.stages.failures import Failure, attempt
from pam.stages.job import Inputs, Job, Result
from pam.stages.rows import training_rows

if TYPE_CHECKING:
    from pam.config import Train
    from pam.data import MultitaskDataset
    from pam.networks import SingleTaskNetwork
    from pam.training import Epoch


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the trained network and its curve."""
    task, seeds = job.cell.task, seeds_of(job, job.cell.task)
    trained = attempt(lambda: train(job, inputs, task, seeds))
    if isinstance(trained, Failure):
        return Result(failure=trained.within(f"task {task}"), facts={"seeds": seeds})
    network, curve = trained
    rows = training_rows(map(asdict, curve), "train", job.axes)
    return Result(
        rows={"training": rows},
        save=lambda path, label: network.save(path, {"origin": label}),
        facts={"seeds": seeds},
    )


def seeds_of(job: Job, *axes: str) -> dict[str, int]:
    """Return the seeds of initial weights and of the order of the images of a network.

    Neither knows the merging or pruning, so all of them start from the same networks.

    Args:
        job: of the experiment.
        axes: what the network is of: a task, and what else tells it from others.
    """
    start = () if job.experiment.init == "common" else axes
    return {"weights": job.seed("weights", *start), "order": job.seed("order", *axes)}


def train(
    job: Job, inputs: Inputs, task: str, seeds: dict[str, int]
) -> "tuple[SingleTaskNetwork, list[Epoch]]":
    """Return a network of one task, trained as the experiment says, and its curve.

    Raises:
        DivergenceError: if the loss is not finite.
    """
    settings = job.experiment.train
    start = inputs.trunk or settings.pretrained
    return fit_single(job, inputs.dataset, task, settings, start, **seeds)


def fit_single(
    job: Job,
    dataset: "MultitaskDataset",
    task: str,
    settings: "Train",
    start: "SingleTaskNetwork | str | None" = None,
    *,
    weights: int,
    order: int,
) -> "tuple[SingleTaskNetwork, list[Epoch]]":
    """Return a network of the experiment's architecture, trained on one task, and its curve.

    Args:
        job: of the experiment.
        dataset: what to train on.
        task: one of its tasks.
        settings: how.
        start: what its hidden layers start from, see :func:`pam.networks.build`.
        weights: seed of the initial weights.
        order: seed of the order of the images.

    Raises:
        DivergenceError: if the loss is not finite.
    """
    from pam.networks import build
    from pam.training import fit, schedule_from

    experiment = job.experiment
    network = build(
        experiment.architecture,
        dataset.input_shape,
        len(dataset.tasks[task]),
        task=task,
        seed=weights,
        pretrained=start,
        **experiment.network,
    ).to(job.device)
    schedule = schedule_from(settings.schedule, "train")
    return network, fit(network, dataset, schedule, order, description="train")
