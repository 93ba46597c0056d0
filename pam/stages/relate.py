"""Count what the first task's network shares with every other task's once merged."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pam.stages.failures import Failure, attempt
from pam.stages.job import Inputs, Job, Result
from pam.stages.rows import Row
from pam.stages.train import seeds_of, train

if TYPE_CHECKING:
    from pam.analysis.relatedness import LayerShare
    from pam.networks import SingleTaskNetwork

COUNTS = ("neurons", "shared", "exclusive_a", "exclusive_b", "removed")


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the rows of the first task with itself and with every other task.

    The first task's second network, for the control "identical tasks", is trained here: it must
    depend on no other seed than the cell's own. A pair that cannot be merged gives rows with its
    status and without counts.
    """
    from pam.analysis.relatedness import label_information, name_again

    dataset, networks, seed = inputs.dataset, inputs.networks, job.seed("relate")
    columns = job.columns(inputs.data_hash)
    base, *others = networks
    seeds = seeds_of(job, base, "again")
    control = attempt(lambda: train(job, inputs, base, seeds)[0])
    if isinstance(control, Failure):
        return Result(failure=control.within(f"task {base}"), facts={"seeds": seeds})
    again = name_again(base, dataset)
    rows: list[Row] = []
    first: Failure | None = None
    pairs = [(again, base, control), *((task, task, networks[task]) for task in others)]
    bar = tqdm(pairs, desc="relate", unit="pair", disable=not sys.stderr.isatty())
    for name, task, network in bar:
        information = label_information(dataset, base, task)
        pair = {"task_a": base, "task_b": name, "label_information_nats": information}
        both = {base: networks[base], name: network}
        shares = attempt(partial(_merge, job, inputs, {base: base, name: task}, both, seed))
        if isinstance(shares, Failure):
            first = first or shares.within(f"tasks {base} and {name}")
        rows += [{**job.axes, **pair, **layer, **columns} for layer in _layers(shares, network)]
    facts = {"seeds": {"relate": seed, **seeds}}
    return Result({"relatedness": rows}, failure=first, facts=facts)


def _merge(
    job: Job,
    inputs: Inputs,
    tasks: dict[str, str],
    networks: "dict[str, SingleTaskNetwork]",
    seed: int,
) -> "list[LayerShare]":
    """Merge two networks and count; ``tasks`` tells which task each of their names stands for."""
    from pam.analysis.relatedness import layer_shares, task_view, units_before
    from pam.merging import merge

    row = job.experiment.row("relatedness", job.cell.relatedness)
    view = task_view(inputs.dataset, tasks)
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
