"""``pam prepare``: make the data set of an experiment."""

import inspect
from argparse import Namespace

from pam.cli.options import GIVEN_TO_DATASET, check_options
from pam.cli.tasks import check_tasks
from pam.config import load_config


def run(arguments: Namespace) -> int:
    """Make and store the data set; its tasks must be those that the experiment names."""
    from pam.data import DATASETS, load, save_dataset

    config = load_config(arguments.config)
    experiment = config.experiment(arguments.experiment)
    make = DATASETS.get(experiment.dataset)
    where = f"experiments.{arguments.experiment}.data"
    check_options(where, make, experiment.data, GIVEN_TO_DATASET)
    options = dict(experiment.data)
    # A data set that is on every disk has nothing to download.
    if arguments.download and "download" in inspect.signature(make).parameters:
        options["download"] = True
    dataset = load(experiment.dataset, arguments.root, **options)
    check_tasks(experiment.tasks, dataset, experiment.dataset)
    save_dataset(dataset, arguments.out)
    return 0
