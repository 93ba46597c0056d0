"""Measure accuracy and cost of every task combination, before and after pruning."""

import sys
from functools import partial
from math import nan
from typing import TYPE_CHECKING

from tqdm import tqdm

from pam.stages.failures import Failure, attempt
from pam.stages.job import Inputs, Job, Result
from pam.stages.rows import Rows

if TYPE_CHECKING:
    from pam.cost import LatencyOptions, TaskAccuracy


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the rows of every network of the cell.

    A network that could not be made gives rows with its status and without numbers.
    """
    from pam.cost import TaskAccuracy, failed_rows, measure_network

    # Latency settings change no measurement, so the rows name the slice without them.
    columns = job.columns(inputs.data_hash, "prune")
    tasks, timed, networks = job.experiment.tasks, _latency(job), inputs.strengths
    singles = attempt(partial(_single_accuracies, job, inputs))
    rows: Rows = {}
    first: Failure | None = None
    if isinstance(singles, Failure):
        first = singles.within("single-task networks")
        networks = dict.fromkeys(networks, first)
        singles = dict.fromkeys(tasks, TaskAccuracy(nan, nan))
    bar = tqdm(networks.items(), desc="measure", unit="network", disable=not sys.stderr.isatty())
    for strength, network in bar:
        cell = {**job.axes, "strength": strength}
        measured: Rows | Failure
        if isinstance(network, Failure):
            measured = network
        else:
            arguments = (network, inputs.dataset, singles, cell, columns, timed)
            measured = attempt(partial(measure_network, *arguments))
        if isinstance(measured, Failure):
            if measured is not network:
                first = first or measured.within(f"strength {strength:g}")
            measured = failed_rows(tasks, singles, cell, columns, measured.status)
        for table, added in measured.items():
            rows.setdefault(table, []).extend(added)
    return Result(rows, failure=first.within("not measured") if first else None)


def _single_accuracies(job: Job, inputs: Inputs) -> "dict[str, TaskAccuracy]":
    """Return task -> accuracy of the single-task network, NaN if one of them failed."""
    from pam.cost import TaskAccuracy, task_accuracy

    if not inputs.networks:
        return dict.fromkeys(job.experiment.tasks, TaskAccuracy(nan, nan))
    networks = inputs.networks.items()
    return {task: task_accuracy(network, inputs.dataset)[task] for task, network in networks}


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
