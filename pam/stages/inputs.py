"""What a job reads, once: the prepared data set and the networks, checked to belong to its cell."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pam.config import Pruning
from pam.errors import ConfigError, DataError, ShapeError
from pam.files import read_meta
from pam.runs.cells import config_hash, parent_cells, parents_of, settings_of
from pam.runs.stages import STAGES, Parent
from pam.stages.device import on_device
from pam.stages.failures import Failure, attempt, read_failure
from pam.stages.job import UNPRUNED, Inputs, Job, check_tasks

if TYPE_CHECKING:
    from pam.data import MultitaskDataset
    from pam.networks import GroupedNetwork, SingleTaskNetwork

STOPPED = Failure("missing", "pruning did not come to this strength")


def read_inputs(job: Job, files: Mapping[str, Sequence[str | Path]]) -> Inputs:
    """Return what a job reads.

    Raises:
        ConfigError: if the data set has other tasks than the experiment.
        DataError: if a file is missing or damaged, or belongs to another cell.
        ShapeError: if a network is of another architecture, input shape or set of tasks.
    """
    inputs = Inputs()
    _check_flags(job, files)
    parents = [one for one in STAGES[job.cell.stage].parents if one.flag in files]
    for parent in parents:
        failures = (read_failure(path) for path in files[parent.flag])
        failure = next((one for one in failures if one), None)
        if failure:
            inputs.failures[parent.flag] = failure
    if parents and "data" not in inputs.failures:
        folder = Path(files["data"][0]).parent
        dataset, inputs.data_hash = _read_dataset(job, folder)
        if isinstance(dataset, Failure):
            inputs.failures = {"data": dataset} | inputs.failures
        else:
            inputs._dataset = dataset
    for parent in parents:
        paths = files[parent.flag]
        if parent.stage == "pretrain" and not {"data", parent.flag} & inputs.failures.keys():
            inputs.trunk = _read_trunk(job, inputs.dataset, paths[0])
        elif parent.stage == "train" and not {"data", parent.flag} & inputs.failures.keys():
            inputs.networks = _read_singles(job, inputs.dataset, paths)
        elif parent.stage == "merge":
            _read_merged(job, inputs, parent.flag, paths[0])
        elif parent.stage == "prune":
            _read_pruned(job, inputs, parent.flag, paths[0])
        if parent.stage != "prepare" and not {"data", parent.flag} & inputs.failures.keys():
            _check_hashes(job, parent, paths, inputs.data_hash)
    return inputs


def _read_dataset(job: Job, folder: Path) -> "tuple[MultitaskDataset | Failure, str]":
    from pam.data.store import data_hash, load_dataset

    dataset = load_dataset(folder)
    if dataset.name != job.experiment.dataset:
        raise DataError(
            f"{folder} holds '{dataset.name}', but experiment '{job.cell.experiment}' "
            f"uses '{job.experiment.dataset}'"
        )
    check_tasks(job, dataset, folder)
    for option, value in job.experiment.data.items():
        if _as_json(dataset.options.get(option, value)) != _as_json(value):
            raise DataError(
                f"{folder} was made with {option} {dataset.options[option]!r}, but "
                f"{job.key(f'data.{option}')} is {value!r}"
            )
    return attempt(lambda: on_device(dataset, job.device)), data_hash(folder)


def _check_flags(job: Job, files: Mapping[str, Sequence[str | Path]]) -> None:
    """Check that a job reads what its experiment asks for, no more and no less."""
    wanted = parents_of(job.config, job.cell)
    for parent in STAGES[job.cell.stage].parents:
        if (parent.flag in files) != (parent.flag in wanted):
            needs = "needs" if parent.flag in wanted else "has no use for"
            raise ConfigError(f"experiment '{job.cell.experiment}' {needs} --{parent.flag}")


def _read_trunk(job: Job, dataset: "MultitaskDataset", path: str | Path) -> "SingleTaskNetwork":
    from pam.networks import SingleTaskNetwork

    _check_origin(job, path)
    network = SingleTaskNetwork.load(path)
    _check_architecture(job, dataset, network, path)
    return network.to(job.device)


def _read_singles(
    job: Job, dataset: "MultitaskDataset", paths: Sequence[str | Path]
) -> "dict[str, SingleTaskNetwork]":
    from pam.networks import SingleTaskNetwork

    networks: dict[str, SingleTaskNetwork] = {}
    for path in paths:
        _check_origin(job, path)
        network = SingleTaskNetwork.load(path)
        _check_network(job, dataset, network, path)
        if len(network.tasks) != 1 or network.task in networks:
            raise DataError(f"{path} is not the network of one further task")
        networks[network.task] = network.to(job.device)
    missing = [task for task in job.experiment.tasks if task not in networks]
    if missing:
        raise DataError(f"--networks lacks the network of task '{missing[0]}'")
    return {task: networks[task] for task in job.experiment.tasks}


def _read_merged(job: Job, inputs: Inputs, flag: str, path: str | Path) -> None:
    """Enter the merged network, or why there is none, at strength 0."""
    from pam.networks import GroupedNetwork

    failure = inputs.failures.get("data") or inputs.failures.get(flag)
    if failure:
        inputs.strengths[UNPRUNED] = failure
        return
    _check_origin(job, path)
    network = GroupedNetwork.load(path)
    _check_merged(job, inputs.dataset, network, path)
    inputs.strengths[UNPRUNED] = network.to(job.device)


def _read_pruned(job: Job, inputs: Inputs, flag: str, path: str | Path) -> None:
    """Enter the network of every strength of the pruning row, or why there is none."""
    from pam.networks.family import load_family

    row = job.experiment.row("pruning", job.cell.pruning)
    assert isinstance(row, Pruning)
    failure = inputs.failures.get("data") or inputs.failures.get(flag)
    if failure:
        inputs.strengths |= dict.fromkeys(row.strengths or _next(row, []), failure)
        return
    _check_origin(job, path)
    networks, stopped = load_family(path), read_meta(path).get("stopped")
    for network in networks.values():
        _check_merged(job, inputs.dataset, network, path)
    reason = Failure(**stopped) if stopped else STOPPED
    asked = row.strengths or [*networks, *(_next(row, networks) if stopped else [])]
    for strength in asked:
        network = networks.get(strength)
        inputs.strengths[strength] = network.to(job.device) if network else reason


def _next(row: Pruning, strengths: Iterable[float]) -> list[float]:
    """Return the strength that follows on a path, none if it was the last one."""
    from pam.stages.prune import ladder_of

    last = max(strengths, default=0.0)
    return list(islice((strength for strength in ladder_of(row) if strength > last), 1))


def _check_origin(job: Job, path: str | Path) -> None:
    """Check that a network was made for the job's cell, as far as its file tells."""
    origin, axes = _origin(path), job.axes
    for axis in ("experiment", "merging", "pruning", "seed"):
        value = origin.get(axis)
        if value is not None and axis in axes and value != axes[axis]:
            raise DataError(f"{path} is a network of {axis} '{value}', not of '{axes[axis]}'")


def _check_hashes(job: Job, parent: Parent, paths: Sequence[str | Path], data_hash: str) -> None:
    """Check that networks were made with the job's settings and data, as far as they tell."""
    cell = parent_cells(job.cell, parent, job.experiment.tasks)[0]
    settings = config_hash(settings_of(job.config, cell.kind))
    due = {"settings": ("config_hash", settings), "data": ("data_hash", data_hash)}
    for path in paths:
        origin = _origin(path)
        for noun, (name, wanted) in due.items():
            value = origin.get(name)
            if value and value != wanted:
                raise DataError(
                    f"{path} was made with other {noun} than this job's ({name} {value}, not "
                    f"{wanted}); run `pam {parent.stage}` again, or name its own configuration"
                )


def _origin(path: str | Path) -> Mapping[str, Any]:
    """Return what a network's file says of its origin; nothing if it says nothing."""
    origin = read_meta(path).get("origin")
    return origin if isinstance(origin, dict) else {}


def _as_json(value: object) -> str:
    """Return a value as files hold it: there a tuple is a list."""
    return json.dumps(value, sort_keys=True)


def _check_architecture(
    job: Job, dataset: "MultitaskDataset", network: "GroupedNetwork", path: str | Path
) -> None:
    """Check that a network is of the job's architecture and takes the data set's images."""
    from pam.networks.registry import architecture as build_architecture

    architecture = network.architecture
    if architecture.name != job.experiment.architecture:
        raise ShapeError(
            f"{path} holds a network of architecture '{architecture.name}', but experiment "
            f"'{job.cell.experiment}' uses '{job.experiment.architecture}'"
        )
    if architecture.input_shape != dataset.input_shape:
        raise ShapeError(
            f"the network in {path} takes {architecture.input_shape} images, "
            f"data set '{dataset.name}' has {dataset.input_shape}"
        )
    options: dict[str, Any] = job.experiment.network
    asked = build_architecture(architecture.name, architecture.input_shape, **options)
    if _as_json(architecture.options) != _as_json(asked.options):
        raise ShapeError(
            f"the network in {path} was built with {_as_json(architecture.options)}, but "
            f"{job.key('network')} asks for {_as_json(asked.options)}"
        )


def _check_network(
    job: Job, dataset: "MultitaskDataset", network: "GroupedNetwork", path: str | Path
) -> None:
    """Check that a network is of the job's architecture and fits the data set."""
    _check_architecture(job, dataset, network, path)
    for task, outputs in network.tasks.items():
        labels = len(dataset.tasks.get(task, ()))
        if outputs != labels:
            raise ShapeError(
                f"the network in {path} has {outputs} outputs for task '{task}', "
                f"data set '{dataset.name}' has {labels} labels"
            )


def _check_merged(
    job: Job, dataset: "MultitaskDataset", network: "GroupedNetwork", path: str | Path
) -> None:
    """Check that a merged network fits, and serves every task."""
    _check_network(job, dataset, network, path)
    missing = [task for task in dataset.tasks if task not in network.tasks]
    if missing:
        raise ShapeError(f"the network in {path} has no output for task '{missing[0]}'")
