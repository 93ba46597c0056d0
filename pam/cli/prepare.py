"""``pam prepare``: make the data set of an experiment."""

import inspect
from argparse import Namespace

from pam.config import load_config


def run(arguments: Namespace) -> int:
    """Make and store the data set; its tasks must be those that the experiment names."""
    config = load_config(arguments.config)
    experiment = config.experiment(arguments.experiment)
    from pam.cli.inputs import check_tasks
    from pam.data import DATASETS, load, save_dataset

    options = dict(experiment.data)
    # A data set that is on every disk has nothing to download.
    if arguments.download and _has_option(DATASETS.get(experiment.dataset), "download"):
        options["download"] = True
    dataset = load(experiment.dataset, arguments.root, **options)
    check_tasks(experiment.tasks, dataset, experiment.dataset)
    save_dataset(dataset, arguments.out)
    return 0


def _has_option(make: object, name: str) -> bool:
    return name in inspect.signature(make).parameters  # type: ignore[arg-type]
