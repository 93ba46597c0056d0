"""Train the single-task network of one task from scratch."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from pam.stages.failures import Failure, attempt
from pam.stages.job import Inputs, Job, Result
from pam.stages.rows import training_rows

if TYPE_CHECKING:
    from pam.data import MultitaskDataset
    from pam.networks import SingleTaskNetwork
    from pam.training import Epoch


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the trained network and its curve."""
    task = job.cell.task
    # Neither seed knows the merging or pruning, so all of them start from the same networks.
    seeds = {name: job.seed(name, task) for name in ("weights", "order")}
    trained = attempt(lambda: train(job, inputs.dataset, task, **seeds))
    if isinstance(trained, Failure):
        return Result(failure=trained.within(f"task {task}"), facts={"seeds": seeds})
    network, curve = trained
    rows = training_rows(map(asdict, curve), "train", job.axes)
    return Result(
        rows={"training": rows},
        save=lambda path, label: network.save(path, {"origin": label}),
        facts={"seeds": seeds},
    )


def train(
    job: Job, dataset: "MultitaskDataset", task: str, *, weights: int, order: int
) -> "tuple[SingleTaskNetwork, list[Epoch]]":
    """Return a network of one task, trained as the experiment says, and its curve.

    Args:
        job: of the experiment.
        dataset: of the experiment.
        task: one of its tasks.
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
        pretrained=experiment.train.pretrained,
        **experiment.network,
    ).to(job.device)
    schedule = schedule_from(experiment.train.schedule, "train")
    return network, fit(network, dataset, schedule, order, description="train")
