"""``pam measure``: accuracy and cost of every task combination, before and after pruning."""

import sys
from argparse import Namespace
from functools import partial
from math import nan
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pam.cli.failures import Failure, attempt
from pam.cli.inputs import description, failure_before, read_dataset, read_singles, read_strengths
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
    parents = [*arguments.networks, arguments.merged, arguments.pruned]
    singles = attempt(partial(_single_accuracies, job, dataset, arguments.networks))
    rows, failure = _rows(job, dataset, networks, singles, columns)
    failure = failure_before(dataset, parents) or failure
    return job.finish(
        job.origin(measure_slice(job.config, *names), code, data),
        parents=[description(arguments.data), *parents],
        rows=rows,
        failure=failure.within("not measured") if failure else None,
    )


def _single_accuracies(
    job: Job, dataset: "MultitaskDataset | Failure", paths: list[str]
) -> "dict[str, TaskAccuracy]":
    """Return task -> accuracy of the single-task network, NaN if one of them failed."""
    from pam.cost import TaskAccuracy, task_accuracy

    if failure_before(dataset, paths):
        return dict.fromkeys(job.experiment.tasks, TaskAccuracy(nan, nan))
    networks = read_singles(job, dataset, paths)
    return {task: task_accuracy(network, dataset)[task] for task, network in networks.items()}


def _rows(
    job: Job,
    dataset: "MultitaskDataset | Failure",
    networks: "dict[float, GroupedNetwork | Failure]",
    singles: "dict[str, TaskAccuracy] | Failure",
    columns: dict[str, Any],
) -> tuple[Rows, Failure | None]:
    """Return the rows of every strength, and the first failure of measuring."""
    from pam.cost import TaskAccuracy, failed_rows, measure_network

    rows: Rows = {}
    first: Failure | None = None
    tasks, timed = job.experiment.tasks, _latency(job)
    if isinstance(singles, Failure):
        first = singles.within("single-task networks")
        networks = dict.fromkeys(networks, first)
        singles = dict.fromkeys(tasks, TaskAccuracy(nan, nan))
    bar = tqdm(networks.items(), desc="measure", unit="network", disable=not sys.stderr.isatty())
    for strength, network in bar:
        cell = {**job.axes, "strength": strength}
        if isinstance(network, Failure):
            made: Rows | Failure = network
        else:
            measure = partial(measure_network, network, dataset, singles, cell, columns, timed)
            made = attempt(measure)
        if isinstance(made, Failure):
            more = failed_rows(tasks, singles, cell, columns, made.status)
            if made is not network:
                first = first or made.within(f"strength {strength:g}")
        else:
            more = made
        for table, added in more.items():
            rows.setdefault(table, []).extend(added)
    return rows, first


def _latency(job: Job) -> "LatencyOptions | None":
    """Return what to time, backends that do not run here left out with a note."""
    from pam.cost import LatencyOptions, usable_backends

    wanted = job.experiment.latency
    if not wanted.batch_sizes:
        return None
    backends, notes = usable_backends(wanted.backends, job.device)
    for note in notes:
        print(f"pam measure: {note}", file=sys.stderr)
    return LatencyOptions(
        batch_sizes=tuple(wanted.batch_sizes),
        rounds=wanted.rounds,
        warmup=wanted.warmup,
        backends=tuple(backends),
    )
