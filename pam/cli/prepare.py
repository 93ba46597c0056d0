"""``pam prepare``: make the data set of an experiment."""

import inspect
from argparse import Namespace
from typing import TYPE_CHECKING

from pam.cli.failures import DATA_MISSING, Failure, attempt, save_failure
from pam.cli.job import Job
from pam.cli.tasks import check_tasks
from pam.config import prepare_slice
from pam.config.paths import data_record
from pam.errors import DataError

if TYPE_CHECKING:
    from pam.data import MultitaskDataset


def run(arguments: Namespace) -> int:
    """Make and store the data set; its tasks must be those that the experiment names.

    If the data cannot be had, the command fails, or under ``--allow-missing`` the files say so.
    """
    record = data_record(arguments.out)
    job = Job.begin("prepare", Namespace(**vars(arguments), record=record, strict=False))
    from pam.data.store import dataset_files, save_dataset

    origin = job.origin(prepare_slice(job.config, arguments.experiment), job.code())
    dataset = _load(job, arguments)
    files = dataset_files(arguments.out)
    if isinstance(dataset, Failure):
        if not arguments.allow_missing:
            raise DataError(dataset.reason)
        for path in files:
            save_failure(path, dataset, origin.label)
        return job.finish(origin, failure=dataset)
    check_tasks(job.experiment.tasks, dataset, dataset.name)
    made = save_dataset(dataset, arguments.out, origin.label)
    facts = {"data_hash": made, "options": dataset.options}
    return job.finish(origin, outputs=files, facts=facts)


def _load(job: Job, arguments: Namespace) -> "MultitaskDataset | Failure":
    from pam.data import DATASETS, load

    name, options = job.experiment.dataset, dict(job.experiment.data)
    make = DATASETS.get(name)
    # A data set that is on every disk has nothing to download.
    if arguments.download and "download" in inspect.signature(make).parameters:
        options["download"] = True
    try:
        return attempt(lambda: load(name, arguments.root, **options))
    except DataError as error:
        return Failure(DATA_MISSING, str(error))
