"""Tell which units of a cell's networks are in fact exclusive or redundant."""

import sys
from functools import partial
from typing import TYPE_CHECKING

from tqdm import tqdm

from pam.names import check_known
from pam.stages.failures import Failure, attempt
from pam.stages.job import UNPRUNED, Inputs, Job, Result
from pam.stages.rows import Rows

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork


def compute(job: Job, inputs: Inputs) -> Result:
    """Return what the experiment's conditions ask of every network of the cell.

    A network that could not be made, or analysed, gives rows with its status and without numbers.
    """
    columns, seed = job.columns(inputs.data_hash), job.seed("analyse")
    rows: Rows = {"exclusivity": [], "redundancy": [], "redundancy_samples": []}
    first: Failure | None = None
    networks = inputs.strengths.items()
    bar = tqdm(networks, desc="analyse", unit="network", disable=not sys.stderr.isatty())
    for strength, network in bar:
        analysed: Rows | Failure
        if isinstance(network, Failure):
            analysed = network
        else:
            analysed = attempt(partial(_analyse, job, inputs, network, strength, seed))
        status = "ok"
        if isinstance(analysed, Failure):
            if analysed is not network:
                first = first or analysed.within(f"strength {strength:g}")
            status, analysed = analysed.status, _unknown(job, strength)
        for table, added in analysed.items():
            # Single samples are for plots, and need not say how they were made once more.
            more = {} if table == "redundancy_samples" else {"status": status, **columns}
            rows[table] += [{**job.axes, "strength": strength, **row, **more} for row in added]
    failure = first.within("not analysed") if first else None
    return Result(rows, failure=failure, facts={"seeds": {"analyse": seed}})


def _analyse(
    job: Job, inputs: Inputs, network: "GroupedNetwork", strength: float, seed: int
) -> Rows:
    """Return the rows of one network without the columns that name the cell and the run."""
    from pam.analysis.conditions import exclusivity_rows, redundancy_rows, sample_rows
    from pam.merging.activations import collect, draw_sample

    dataset, layers = inputs.dataset, job.experiment.conditions.layers
    for layer in layers:
        check_known(f"layer in {job.key('conditions.layers')}", layer, network.hidden_layers)
    sample = draw_sample(dataset, job.experiment.conditions.samples, seed)
    activations = collect(network, sample.images, layers)
    rows: Rows = {}
    if _asks_exclusivity(job, strength):
        rows["exclusivity"] = [
            row
            for layer in layers
            for row in exclusivity_rows(network, dataset, layer, activations[layer], sample.labels)
        ]
    if _asks_redundancy(job):
        pairs = {layer: redundancy_rows(network, layer, activations[layer]) for layer in layers}
        rows["redundancy"] = [row for some in pairs.values() for row in some]
        if strength in (UNPRUNED, max(inputs.strengths)):
            rows["redundancy_samples"] = [
                row
                for layer, some in pairs.items()
                for pair in some
                for row in sample_rows(pair, activations[layer])
            ]
    return rows


def _unknown(job: Job, strength: float) -> Rows:
    """Return the rows of a network that there is none of."""
    from pam.analysis.conditions import unknown_exclusivity_rows, unknown_redundancy_rows

    tasks, layers = job.experiment.tasks, job.experiment.conditions.layers
    rows: Rows = {}
    if _asks_exclusivity(job, strength):
        rows["exclusivity"] = [
            row for layer in layers for row in unknown_exclusivity_rows(tasks, layer)
        ]
    if _asks_redundancy(job):
        rows["redundancy"] = [
            row for layer in layers for row in unknown_redundancy_rows(tasks, layer)
        ]
    return rows


def _asks_exclusivity(job: Job, strength: float) -> bool:
    asked = job.cell.merging in job.experiment.conditions.exclusivity
    return asked and strength != UNPRUNED


def _asks_redundancy(job: Job) -> bool:
    return job.cell.merging in job.experiment.conditions.redundancy
