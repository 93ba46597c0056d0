"""``pam analyse``: which units of a cell's networks are in fact exclusive or redundant."""

import sys
from argparse import Namespace
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from tqdm import tqdm

from pam.cli.failures import Failure, attempt
from pam.cli.inputs import UNPRUNED, description, failure_before, read_dataset, read_strengths
from pam.cli.job import Job
from pam.cli.rows import Row, Rows
from pam.config import analyse_slice
from pam.names import check_known
from pam.provenance import config_hash

if TYPE_CHECKING:
    from pam.data import MultitaskDataset
    from pam.networks import GroupedNetwork


def run(arguments: Namespace) -> int:
    """Analyse every network of the cell as its conditions ask, and write the record.

    A network that could not be made, or analysed, gives rows with its status and without numbers.
    """
    job = Job.begin("analyse", arguments)
    dataset, data = read_dataset(job, arguments.data)
    made_of = analyse_slice(job.config, arguments.experiment, arguments.merging, arguments.pruning)
    columns = {
        "threads": job.config.threads,
        "device": job.device,
        "config_hash": config_hash(made_of),
        "code_hash": job.code_up_to_here(
            {
                "train": None,
                "merge": job.experiment.merging_row(arguments.merging).method,
                "prune": job.experiment.pruning_row(arguments.pruning).method,
                "analyse": None,
            }
        ),
        "data_hash": data,
    }
    seed = job.seed("analyse")
    code = job.code()
    parents = [arguments.merged, arguments.pruned]
    networks = read_strengths(job, dataset, *parents)
    rows, failure = _rows(job, dataset, networks, seed, columns)
    failure = failure_before(dataset, parents) or failure
    return job.finish(
        job.origin(made_of, code, data),
        parents=[description(arguments.data), *parents],
        rows=rows,
        failure=failure.within("not analysed") if failure else None,
        facts={"seeds": {"analyse": seed}},
    )


def _rows(
    job: Job,
    dataset: "MultitaskDataset | Failure",
    networks: "dict[float, GroupedNetwork | Failure]",
    seed: int,
    columns: Row,
) -> tuple[Rows, Failure | None]:
    """Return the rows of every strength, and the first failure of an analysis."""
    rows: Rows = {"exclusivity": [], "redundancy": [], "redundancy_samples": []}
    first: Failure | None = None
    bar = tqdm(networks.items(), desc="analyse", unit="network", disable=not sys.stderr.isatty())
    for strength, network in bar:
        if isinstance(network, Failure):
            made: Rows | Failure = network
        else:
            made = attempt(partial(_analyse, job, dataset, network, strength, seed))
        if isinstance(made, Failure):
            status, found = made.status, _unknown(job, strength)
            if made is not network:
                first = first or made.within(f"strength {strength:g}")
        else:
            status, found = "ok", made
        for table, added in found.items():
            # Single samples are for plots, and need not say how they were made once more.
            more = {} if table == "redundancy_samples" else {"status": status, **columns}
            rows[table] += [{**job.axes, "strength": strength, **row, **more} for row in added]
    return rows, first


def _analyse(
    job: Job,
    dataset: "MultitaskDataset",
    network: "GroupedNetwork",
    strength: float,
    seed: int,
) -> Rows:
    """Return the rows of one network without the columns that name the cell and the run."""
    from pam.analysis.exclusivity import exclusivity_rows
    from pam.analysis.redundancy import redundancy_rows, sample_rows
    from pam.merging.activations import collect, draw_sample

    layers = job.experiment.conditions.layers
    for layer in layers:
        check_known(f"layer in {job.key('conditions.layers')}", layer, network.hidden_layers)
    sample = draw_sample(dataset, job.experiment.conditions.samples, seed)
    activations = collect(network, sample.images, layers)
    rows: Rows = {}
    if _asks_exclusivity(job, strength):
        rows["exclusivity"] = _joined(
            exclusivity_rows(network, dataset, layer, activations[layer], sample.labels)
            for layer in layers
        )
    if _asks_redundancy(job):
        pairs = {layer: redundancy_rows(network, layer, activations[layer]) for layer in layers}
        rows["redundancy"] = _joined(pairs.values())
        if strength in (UNPRUNED, job.experiment.pruning_row(job.axes["pruning"]).strengths[-1]):
            rows["redundancy_samples"] = _joined(
                sample_rows(pair, activations[layer]) for layer in layers for pair in pairs[layer]
            )
    return rows


def _unknown(job: Job, strength: float) -> Rows:
    """Return the rows of a network that there is none of."""
    from pam.analysis.exclusivity import unknown_exclusivity_rows
    from pam.analysis.redundancy import unknown_redundancy_rows

    tasks, layers = job.experiment.tasks, job.experiment.conditions.layers
    rows: Rows = {}
    if _asks_exclusivity(job, strength):
        rows["exclusivity"] = _joined(unknown_exclusivity_rows(tasks, layer) for layer in layers)
    if _asks_redundancy(job):
        rows["redundancy"] = _joined(unknown_redundancy_rows(tasks, layer) for layer in layers)
    return rows


def _asks_exclusivity(job: Job, strength: float) -> bool:
    asked = job.axes["merging"] in job.experiment.conditions.exclusivity
    return asked and strength != UNPRUNED


def _asks_redundancy(job: Job) -> bool:
    return job.axes["merging"] in job.experiment.conditions.redundancy


def _joined(parts: Iterable[list[Row]]) -> list[Row]:
    return [row for part in parts for row in part]
