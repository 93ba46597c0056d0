"""What a job reads: the prepared data set and the networks made before, checked to belong."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pam.cli.device import move
from pam.cli.failures import Failure, attempt, first_failure, read_failure
from pam.cli.job import Job
from pam.cli.tasks import check_tasks
from pam.errors import DataError, ShapeError
from pam.files import read_meta, read_tensors

if TYPE_CHECKING:
    from pam.data import MultitaskDataset
    from pam.networks import GroupedNetwork, SingleTaskNetwork

UNPRUNED = 0.0
STOPPED = Failure("missing", "pruning did not come to this strength")


def description(folder: str | Path) -> Path:
    """Return the file that describes the data set in a folder."""
    from pam.data.store import RECORD

    return Path(folder) / RECORD


def read_dataset(job: Job, folder: str | Path) -> "tuple[MultitaskDataset | Failure, str]":
    """Return the data set of the job's experiment, on the job's device, and its hash.

    Where the data could not be had, return why instead, and an empty hash.

    Raises:
        DataError: if it is missing, damaged or that of another data set.
    """
    from pam.data.store import data_hash, load_dataset

    failure = read_failure(description(folder))
    if failure:
        return failure, ""
    dataset = load_dataset(folder)
    if dataset.name != job.experiment.dataset:
        raise DataError(
            f"{folder} holds '{dataset.name}', but experiment '{job.axes['experiment']}' "
            f"uses '{job.experiment.dataset}'"
        )
    check_tasks(job.experiment.tasks, dataset, folder)
    for option, value in job.experiment.data.items():
        if _as_json(dataset.options.get(option, value)) != _as_json(value):
            raise DataError(
                f"{folder} was made with {option} {dataset.options[option]!r}, but "
                f"{job.key(f'data.{option}')} is {value!r}"
            )
    return attempt(lambda: move(dataset, job.device)), data_hash(folder)


def failure_before(
    dataset: "MultitaskDataset | Failure", networks: Iterable[str | Path] = ()
) -> Failure | None:
    """Return why a job cannot begin: the failure of its data, or the first among its networks.

    Raises:
        DataError: if a network file is missing or damaged.
    """
    return dataset if isinstance(dataset, Failure) else first_failure(networks)


def read_singles(
    job: Job, dataset: "MultitaskDataset", paths: Sequence[str | Path]
) -> "dict[str, SingleTaskNetwork]":
    """Return task -> single-task network, in the order of the experiment's tasks.

    Raises:
        DataError: if a file is missing or damaged, or the files are not one per task.
        ShapeError: if a network is of another architecture, input shape or number of labels.
    """
    found: dict[str, SingleTaskNetwork] = {}
    for path in paths:
        check_origin(job, path)
        network = read_single(job, dataset, path)
        if network.task in found:
            raise DataError(f"{path} is not the network of one further task")
        found[network.task] = network
    missing = [task for task in job.experiment.tasks if task not in found]
    if missing:
        raise DataError(f"--networks lacks the network of task '{missing[0]}'")
    return {task: found[task] for task in job.experiment.tasks}


def read_single(job: Job, dataset: "MultitaskDataset", path: str | Path) -> "SingleTaskNetwork":
    """Return a single-task network.

    Raises:
        DataError: if the file is missing or damaged, or the network has several tasks.
        ShapeError: if the network is of another architecture, input shape or number of labels.
    """
    from pam.networks import SingleTaskNetwork

    network = SingleTaskNetwork.load(path)
    check_network(job, dataset, network, path)
    if len(network.tasks) != 1:
        raise DataError(f"{path} is not the network of one further task")
    return network.to(job.device)


def read_merged(job: Job, dataset: "MultitaskDataset", path: str | Path) -> "GroupedNetwork":
    """Return a merged network.

    Raises:
        DataError: if the file is missing or damaged.
        ShapeError: if the network is of another architecture, input shape or set of tasks.
    """
    from pam.networks import GroupedNetwork

    check_origin(job, path)
    network = GroupedNetwork.load(path)
    check_network(job, dataset, network, path)
    check_all_tasks(network, dataset, path)
    return network.to(job.device)


def read_pruned(
    job: Job, dataset: "MultitaskDataset", path: str | Path
) -> "dict[float, GroupedNetwork]":
    """Return strength -> pruned network.

    Raises:
        DataError: if the file is missing or damaged.
        ShapeError: if a network is of another architecture, input shape or set of tasks.
    """
    from pam.networks.family import load_family

    check_origin(job, path)
    networks = load_family(path)
    for network in networks.values():
        check_network(job, dataset, network, path)
        check_all_tasks(network, dataset, path)
    return {strength: network.to(job.device) for strength, network in networks.items()}


def read_strengths(
    job: Job, dataset: "MultitaskDataset | Failure", merged: str | Path, pruned: str | Path
) -> "dict[float, GroupedNetwork | Failure]":
    """Return strength -> network, or why there is none; strength 0 is the merged network.

    Raises:
        DataError, ShapeError: as :func:`read_merged` and :func:`read_pruned`.
    """
    strengths = job.experiment.pruning_row(job.axes["pruning"]).strengths
    if isinstance(dataset, Failure):
        return dict.fromkeys((UNPRUNED, *strengths), dataset)
    unpruned = read_failure(merged) or read_merged(job, dataset, merged)
    failure = read_failure(pruned)
    if failure:
        return {UNPRUNED: unpruned, **dict.fromkeys(strengths, failure)}
    made = read_pruned(job, dataset, pruned)
    stopped = read_tensors(pruned)[1].get("stopped")
    reason = Failure(**stopped) if stopped else STOPPED
    return {UNPRUNED: unpruned, **{strength: made.get(strength, reason) for strength in strengths}}


def check_origin(job: Job, path: str | Path) -> None:
    """Check that a network was made for the job's cell, as far as its file tells.

    Raises:
        DataError: if the file is missing or damaged, or it was made for another cell.
    """
    meta = read_meta(path)
    origin = meta.get("origin") if isinstance(meta, dict) else None
    for axis in ("merging", "pruning", "seed"):
        made_for = origin.get(axis) if isinstance(origin, dict) else None
        if made_for is not None and axis in job.axes and made_for != job.axes[axis]:
            raise DataError(
                f"{path} is a network of {axis} '{made_for}', not of '{job.axes[axis]}'"
            )


def _as_json(value: object) -> str:
    """Return a value as files hold it: there a tuple is a list."""
    return json.dumps(value, sort_keys=True)


def check_network(
    job: Job, dataset: "MultitaskDataset", network: "GroupedNetwork", path: str | Path
) -> None:
    """Check that a network is of the job's architecture and fits the data set.

    Raises:
        ShapeError: if not.
    """
    from pam.networks.registry import architecture as build_architecture

    architecture = network.architecture
    if architecture.name != job.experiment.architecture:
        raise ShapeError(
            f"{path} holds a network of architecture '{architecture.name}', but experiment "
            f"'{job.axes['experiment']}' uses '{job.experiment.architecture}'"
        )
    if architecture.input_shape != dataset.input_shape:
        raise ShapeError(
            f"the network in {path} takes {architecture.input_shape} images, "
            f"data set '{dataset.name}' has {dataset.input_shape}"
        )
    asked = build_architecture(
        architecture.name, architecture.input_shape, **job.experiment.network
    )
    if _as_json(architecture.options) != _as_json(asked.options):
        raise ShapeError(
            f"the network in {path} was built with {_as_json(architecture.options)}, but "
            f"{job.key('network')} asks for {_as_json(asked.options)}"
        )
    for task, outputs in network.tasks.items():
        labels = len(dataset.tasks.get(task, ()))
        if outputs != labels:
            raise ShapeError(
                f"the network in {path} has {outputs} outputs for task '{task}', "
                f"data set '{dataset.name}' has {labels} labels"
            )


def check_all_tasks(
    network: "GroupedNetwork", dataset: "MultitaskDataset", path: str | Path
) -> None:
    """Check that a merged network serves every task.

    Raises:
        ShapeError: if a task is missing.
    """
    missing = [task for task in dataset.tasks if task not in network.tasks]
    if missing:
        raise ShapeError(f"the network in {path} has no output for task '{missing[0]}'")
