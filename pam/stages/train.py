"""Train the single-task network of one task from scratch."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from pam.stages.failures import Failure, attempt
from pam.stages.job import Inputs, Job, Result
from pam.stages.rows import training_rows

if TYPE_CHECKING:
    from pam.networks import SingleTaskNetwork
    from pam.training import Epoch


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the trained network and its curve."""
    from pam.networks import build
    from pam.training import fit, schedule_from

    experiment, dataset, task = job.experiment, inputs.dataset, job.cell.task
    # Neither seed knows the merging or pruning, so all of them start from the same networks.
    seeds = {"weights": job.seed("weights", task), "order": job.seed("order", task)}
    schedule = schedule_from(experiment.train.schedule, "train")

    def train() -> "tuple[SingleTaskNetwork, list[Epoch]]":
        network = build(
            experiment.architecture,
            dataset.input_shape,
            len(dataset.tasks[task]),
            task=task,
            seed=seeds["weights"],
            pretrained=experiment.train.pretrained,
            **experiment.network,
        ).to(job.device)
        return network, fit(network, dataset, schedule, seeds["order"], description="train")

    trained = attempt(train)
    if isinstance(trained, Failure):
        return Result(failure=trained.within(f"task {task}"), facts={"seeds": seeds})
    network, curve = trained
    rows = training_rows(map(asdict, curve), "train", job.axes)
    return Result(
        rows={"training": rows},
        save=lambda path, label: network.save(path, {"origin": label}),
        facts={"seeds": seeds},
    )
