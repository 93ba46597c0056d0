"""Train the network that all single-task networks of a seed start from."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pam.errors import ConfigError, DataError, ShapeError
from pam.runs.raw_data import cell_raw_hash
from pam.stages.device import on_device
from pam.stages.failures import Failure, attempt
from pam.stages.job import Inputs, Job, Result
from pam.stages.prepare import load_data
from pam.stages.rows import training_rows
from pam.stages.train import fit_single

if TYPE_CHECKING:
    from pam.data import MultitaskDataset

TASK = "trunk"
PARTS = ("train", "validation", "test")


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the trunk and its curve; it learns all labels of its data set as one task.

    Options of the job: ``root`` and ``download``, as those of :mod:`pam.stages.prepare`.

    Raises:
        ConfigError: if it would see an image of the experiment.
        DataError: if its data cannot be had.
        ShapeError: if its images are of another shape than the experiment's.
    """
    trunk = job.experiment.trunk
    assert trunk, "there is no such cell otherwise"
    seeds = {name: job.seed(f"trunk {name}") for name in ("weights", "order")}
    facts = {
        "seeds": seeds,
        "raw_hash": cell_raw_hash(job.config, job.cell, job.options.get("root")),
    }
    data = _load(job, inputs.dataset)
    trained = attempt(
        lambda: fit_single(job, on_device(data, job.device), TASK, trunk.train, **seeds)
    )
    if isinstance(trained, Failure):
        return Result(failure=trained.within("the trunk"), facts=facts)
    network, curve = trained
    return Result(
        rows={"training": training_rows(map(asdict, curve), "pretrain", job.axes)},
        save=lambda path, label: network.save(path, {"origin": label}),
        facts=facts,
    )


def _load(job: Job, others: "MultitaskDataset") -> "MultitaskDataset":
    """Return the trunk's data set with one task of all labels that its tasks have."""
    where = job.key("init.pretrained.data")
    data = load_data(job, job.experiment.trunk_data)
    if isinstance(data, Failure):
        raise DataError(data.reason)
    if data.input_shape != others.input_shape:
        raise ShapeError(
            f"{where}: the trunk's images are {data.input_shape}, those of the tasks "
            f"{others.input_shape}"
        )
    seen = {image for part in PARTS[:2] for image in _images(data, part)}
    shared = sum(image in seen for part in PARTS for image in _images(others, part))
    if shared:
        raise ConfigError(
            f"{where}: the trunk would see {shared} images of the tasks; give it others, e.g. by "
            "another seed"
        )
    labels = sorted({column for columns in data.tasks.values() for column in columns})
    return replace(data, tasks={TASK: labels})


def _images(data: "MultitaskDataset", part: str) -> list[bytes]:
    return [image.tobytes() for image in getattr(data, part).images.cpu().numpy()]
