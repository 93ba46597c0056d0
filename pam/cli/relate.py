"""``pam relate``: what the first task's network shares with every other task's once merged."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pam.cli.failures import Failure, attempt
from pam.cli.inputs import description, failure_before, read_dataset, read_single, read_singles
from pam.cli.job import Job
from pam.cli.resuming import resumable
from pam.cli.rows import Row
from pam.config import control_seed, relate_slice
from pam.errors import DataError
from pam.provenance import config_hash

if TYPE_CHECKING:
    from pam.analysis.relatedness import LayerShare
    from pam.data import MultitaskDataset
    from pam.networks import SingleTaskNetwork

PAIR = ("experiment", "dataset", "architecture", "merging", "seed")
COUNTS = ("neurons", "shared", "exclusive_a", "exclusive_b", "removed")


def run(arguments: Namespace) -> int:
    """Relate the first task to itself and to every other task, and write the record.

    A pair that cannot be merged gives rows with its status and without counts.
    """
    job = Job.begin("relate", arguments)
    dataset, data = read_dataset(job, arguments.data)
    row = job.experiment.relatedness_row(arguments.merging)
    made_of = relate_slice(job.config, arguments.experiment, arguments.merging)
    seed = job.seed("relate")
    origin = job.origin(made_of, job.code(row.method), data)
    parents = [*arguments.networks, arguments.control]
    with resumable(job, arguments, origin, parents):
        failure = failure_before(dataset, parents)
        rows: list[Row] = []
        if failure:
            failure = failure.within("not related")
        else:
            networks = read_singles(job, dataset, arguments.networks)
            control = _read_control(job, dataset, arguments.control)
            columns = {
                "threads": job.config.threads,
                "device": job.device,
                "config_hash": config_hash(made_of),
                "code_hash": job.code_up_to_here({"train": None, "relate": row.method}),
                "data_hash": data,
            }
            rows, failure = _relate(job, dataset, networks, control, seed, columns)
        return job.finish(
            origin,
            parents=[description(arguments.data), *parents],
            rows={"relatedness": rows},
            failure=failure,
            facts={
                "seeds": {"relate": seed},
                "control_seed": control_seed(job.config, arguments.seed),
            },
        )


def _read_control(job: Job, dataset: "MultitaskDataset", path: str) -> "SingleTaskNetwork":
    control = read_single(job, dataset, path)
    base = job.experiment.tasks[0]
    if control.task != base:
        raise DataError(f"--control is a network of task '{base}', but {path} is of another one")
    return control


def _relate(
    job: Job,
    dataset: "MultitaskDataset",
    networks: "dict[str, SingleTaskNetwork]",
    control: "SingleTaskNetwork",
    seed: int,
    columns: Row,
) -> tuple[list[Row], Failure | None]:
    """Return the rows of every pair, and the first failure among them."""
    from pam.analysis.relatedness import label_information, name_again

    base, *others = networks
    again = name_again(base, dataset)
    rows: list[Row] = []
    first: Failure | None = None
    pairs = [(again, base, control), *((task, task, networks[task]) for task in others)]
    bar = tqdm(pairs, desc="relate", unit="pair", disable=not sys.stderr.isatty())
    for name, task, network in bar:
        pair = {"task_a": base, "task_b": name}
        pair["label_information_nats"] = label_information(dataset, base, task)
        both = {base: networks[base], name: network}
        shares = attempt(partial(_merge, job, dataset, {base: base, name: task}, both, seed))
        if isinstance(shares, Failure):
            first = first or shares.within(f"tasks {base} and {name}")
        axes = {axis: job.axes[axis] for axis in PAIR}
        rows += [{**axes, **pair, **layer, **columns} for layer in _layers(shares, network)]
    return rows, first


def _merge(
    job: Job,
    dataset: "MultitaskDataset",
    tasks: dict[str, str],
    networks: "dict[str, SingleTaskNetwork]",
    seed: int,
) -> "list[LayerShare]":
    """Merge two networks and count; ``tasks`` tells which task each of their names stands for."""
    from pam.analysis.relatedness import layer_shares, task_view, units_before
    from pam.merging import merge

    row = job.experiment.relatedness_row(job.axes["merging"])
    view = task_view(dataset, tasks)
    merged = merge(networks, row.method, view, seed=seed, **row.options)
    return layer_shares(merged, units_before(*networks.values()))


def _layers(
    shares: "list[LayerShare] | Failure", network: "SingleTaskNetwork"
) -> Iterator[dict[str, Any]]:
    if isinstance(shares, Failure):
        for layer in network.hidden_layers:
            yield {"layer": layer, **dict.fromkeys(COUNTS), "status": shares.status}
    else:
        for share in shares:
            yield {**asdict(share), "status": "ok"}
