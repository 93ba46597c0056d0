"""Make the data set of an experiment."""

import inspect
import sys
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pam.errors import DataError
from pam.runs.raw_data import cell_raw_hash
from pam.stages.failures import DATA_MISSING, Failure, attempt
from pam.stages.job import Inputs, Job, Result, check_tasks

if TYPE_CHECKING:
    from pam.data import MultitaskDataset


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the data set; its tasks must be those that the experiment names.

    Options of the job: ``root``, the folder of raw data; ``download``, whether what is missing is
    fetched; ``allow_missing``, whether data that cannot be had are a failed cell.

    Raises:
        ConfigError: if the tasks are others.
        DataError: if the data cannot be had and ``allow_missing`` is not set.
    """
    facts = {"raw_hash": cell_raw_hash(job.config, job.cell, job.options.get("root"))}
    dataset = load_data(job, job.experiment.data)
    if isinstance(dataset, Failure):
        if not job.options.get("allow_missing"):
            raise DataError(dataset.reason)
        return Result(failure=dataset, facts=facts)
    check_tasks(job, dataset, dataset.name)
    _say_error(dataset)

    def save(folder: str | Path, label: dict[str, Any]) -> dict[str, Any]:
        from pam.data.store import save_dataset

        return {"data_hash": save_dataset(dataset, folder, label), "options": dataset.options}

    return Result(save=save, facts=facts)


def _say_error(dataset: "MultitaskDataset") -> None:
    """Say how exactly the validation part tells the drop of a pruned network, if not enough."""
    from pam.data.dataset import DROP_ERROR, drop_error

    error, images = drop_error(dataset), len(dataset.validation)
    if error > DROP_ERROR:
        enough = ceil(images * (error / DROP_ERROR) ** 2)
        print(
            f"pam prepare: {images} validation images tell a drop of accuracy to about {error:.2f} "
            f"points (standard error); {enough} would tell it to {DROP_ERROR} points",
            file=sys.stderr,
        )


def load_data(job: Job, options: Mapping[str, Any]) -> "MultitaskDataset | Failure":
    """Return the experiment's data set with some options, or why it cannot be had."""
    from pam.data import DATASETS, load

    name, options = job.experiment.dataset, dict(options)
    # A data set that is on every disk has nothing to download.
    if (
        job.options.get("download")
        and "download" in inspect.signature(DATASETS.get(name)).parameters
    ):
        options["download"] = True
    try:
        return attempt(lambda: load(name, job.options.get("root"), **options))
    except DataError as error:
        return Failure(DATA_MISSING, str(error))
