"""``pam measure``: accuracy and cost of every task combination, before and after pruning."""

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pam.cli.failures import Failure, first_failure
from pam.cli.inputs import read_dataset, read_singles, read_strengths
from pam.cli.job import Job
from pam.cli.rows import Rows
from pam.config import measure_slice, prune_slice
from pam.provenance import config_hash

if TYPE_CHECKING:
    from pam.cost import LatencyOptions, TaskAccuracy
    from pam.data import MultitaskDataset
    from pam.networks import GroupedNetwork


def run(arguments: Namespace) -> int:
    """Measure every network of the cell and write the record.

    A network that could not be made gives rows with its status and without numbers.
    """
    job = Job.begin("measure", arguments)
    dataset, data = read_dataset(job, arguments.data)
    code = job.code()
    names = (arguments.experiment, arguments.merging, arguments.pruning)
    columns = {
        "threads": job.config.threads,
        "device": job.device,
        # Latency settings change no measurement, so the rows name the slice without them.
        "config_hash": config_hash(prune_slice(job.config, *names)),
        "code_hash": job.code_up_to_here(
            {
                "train": None,
                "merge": job.experiment.merging_row(arguments.merging).method,
                "prune": job.experiment.pruning_row(arguments.pruning).method,
                "measure": None,
            }
        ),
        "data_hash": data,
    }
    networks = read_strengths(job, dataset, arguments.merged, arguments.pruned)
    singles = _single_accuracies(job, dataset, arguments.networks)
    rows = _rows(job, dataset, networks, singles, columns)
    parents = [*arguments.networks, arguments.merged, arguments.pruned]
    failure = first_failure(*parents)
    return job.finish(
        measure_slice(job.config, *names),
        code=code,
        data=data,
        parents=parents,
        rows=rows,
        failure=failure.within("not measured") if failure else None,
    )


def _single_accuracies(
    job: Job, dataset: "MultitaskDataset", paths: list[str]
) -> "dict[str, TaskAccuracy]":
    """Return task -> accuracy of the single-task network, NaN if one of them failed."""
    from pam.cost import TaskAccuracy, task_accuracy

    if first_failure(*paths):
        return dict.fromkeys(dataset.tasks, TaskAccuracy(float("nan"), float("nan")))
    networks = read_singles(job, dataset, paths)
    return {task: task_accuracy(network, dataset)[task] for task, network in networks.items()}


def _rows(
    job: Job,
    dataset: "MultitaskDataset",
    networks: "dict[float, GroupedNetwork | Failure]",
    singles: "dict[str, TaskAccuracy]",
    columns: dict[str, Any],
) -> Rows:
    from pam.cost import failed_rows, measure_network

    rows: Rows = {}
    timed = _latency(job)
    bar = tqdm(networks.items(), desc="measure", unit="network", disable=not sys.stderr.isatty())
    for strength, network in bar:
        cell = {**job.axes, "strength": strength}
        if isinstance(network, Failure):
            more = failed_rows(dataset.tasks, singles, cell, columns, network.status)
        else:
            more = measure_network(network, dataset, singles, cell, columns, timed)
        for table, added in more.items():
            rows.setdefault(table, []).extend(added)
    return rows


def _latency(job: Job) -> "LatencyOptions | None":
    from pam.cost import LatencyOptions

    wanted = job.experiment.latency
    if not wanted.batch_sizes:
        return None
    return LatencyOptions(batch_sizes=tuple(wanted.batch_sizes), rounds=wanted.rounds)
