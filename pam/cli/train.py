"""``pam train``: the single-task network of one task."""

from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pam.cli.failures import Failure, attempt, save_failure
from pam.cli.inputs import description, failure_before, read_dataset
from pam.cli.job import Job
from pam.cli.resuming import resumable
from pam.cli.rows import training_rows
from pam.config import train_slice

if TYPE_CHECKING:
    from pam.data import MultitaskDataset
    from pam.networks import SingleTaskNetwork
    from pam.training import Epoch


def run(arguments: Namespace) -> int:
    """Train from scratch and write network and record."""
    job = Job.begin("train", arguments)
    dataset, data = read_dataset(job, arguments.data)
    origin = job.origin(train_slice(job.config, arguments.experiment), job.code(), data)
    task = arguments.task
    # Neither seed knows the merging or pruning, so all of them start from the same networks.
    seeds = {"weights": job.seed("weights", task), "order": job.seed("order", task)}
    with resumable(job, arguments, origin):
        earlier = failure_before(dataset)
        result = earlier or attempt(lambda: _train(job, dataset, task, seeds))
        rows: dict[str, list[dict[str, Any]]] = {}
        failure = None
        if isinstance(result, Failure):
            own = earlier or result.within(f"task {task}")
            save_failure(arguments.out, own, origin.label)
            failure = own.within("not trained") if earlier else own
        else:
            network, curve = result
            network.save(arguments.out, {"origin": origin.label})
            epochs = [asdict(epoch) for epoch in curve]
            rows = {"training": training_rows(epochs, "train", job.axes)}
        return job.finish(
            origin,
            parents=[description(arguments.data)],
            outputs=[arguments.out],
            rows=rows,
            failure=failure,
            facts={"seeds": seeds},
        )


def _train(
    job: Job, dataset: "MultitaskDataset", task: str, seeds: dict[str, int]
) -> "tuple[SingleTaskNetwork, list[Epoch]]":
    from pam.networks import build
    from pam.training import fit, schedule_from

    experiment = job.experiment
    network = build(
        experiment.architecture,
        dataset.input_shape,
        len(dataset.tasks[task]),
        task=task,
        seed=seeds["weights"],
        pretrained=experiment.train.pretrained,
        **experiment.network,
    ).to(job.device)
    schedule = schedule_from(experiment.train.schedule, "train")
    return network, fit(network, dataset, schedule, seeds["order"], description="train")
