"""``pam prune``: a merged network at every strength of a pruning row."""

import sys
from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pam.cli.failures import Failure, attempt, save_failure
from pam.cli.inputs import description, failure_before, read_dataset, read_merged
from pam.cli.job import Job
from pam.cli.origin import Origin
from pam.cli.resuming import resumable
from pam.cli.rows import Row, training_rows
from pam.config import prune_slice

if TYPE_CHECKING:
    from pam.data import MultitaskDataset
    from pam.networks import GroupedNetwork


def run(arguments: Namespace) -> int:
    """Prune and write networks and record; what failed before is passed on.

    If pruning fails at a strength, the networks of the weaker ones are kept.
    """
    job = Job.begin("prune", arguments)
    dataset, data = read_dataset(job, arguments.data)
    row = job.experiment.pruning_row(arguments.pruning)
    made_of = prune_slice(job.config, arguments.experiment, arguments.merging, arguments.pruning)
    origin = job.origin(made_of, job.code(row.method), data)
    # Not of the merging row: what is random falls alike for all of them.
    seed = job.seed("prune", row.method)
    with resumable(job, arguments, origin, [arguments.network]):
        failure = failure_before(dataset, [arguments.network])
        rows: dict[str, list[Row]] = {}
        if failure:
            save_failure(arguments.out, failure, origin.label)
            failure = failure.within("not pruned")
        else:
            network = read_merged(job, dataset, arguments.network)
            networks, curve, failure = _prune(job, dataset, network, seed)
            _save(arguments.out, networks, failure, origin)
            rows = {"training": curve}
        return job.finish(
            origin,
            parents=[description(arguments.data), arguments.network],
            outputs=[arguments.out],
            rows=rows,
            failure=failure,
            facts={"seeds": {"prune": seed}},
        )


def _prune(
    job: Job, dataset: "MultitaskDataset", network: "GroupedNetwork", seed: int
) -> "tuple[dict[float, GroupedNetwork], list[Row], Failure | None]":
    """Return strength -> network and the curves as far as pruning came, and what stopped it."""
    from pam.pruning import prune_progressively

    name = job.axes["pruning"]
    row = job.experiment.pruning_row(name)
    strengths = iter(
        prune_progressively(network, row.method, dataset, row.strengths, seed=seed, **row.options)
    )
    networks: dict[float, GroupedNetwork] = {}
    curve: list[Row] = []
    bar = tqdm(row.strengths, desc="prune", unit="strength", disable=not sys.stderr.isatty())
    for strength in bar:
        pruned = attempt(lambda: next(strengths))
        if isinstance(pruned, Failure):
            return networks, curve, pruned.within(f"strength {strength:g}")
        networks[strength] = pruned.network
        curve += training_rows(pruned.curve, "prune", job.axes, strength)
    return networks, curve, None


def _save(
    path: str,
    networks: "dict[float, GroupedNetwork]",
    failure: Failure | None,
    origin: Origin,
) -> None:
    from pam.networks.family import save_family

    meta: dict[str, Any] = {"origin": origin.label}
    if failure:
        # A weaker network is there all the same, so the file is not one of a failure.
        meta["stopped"] = asdict(failure)
    save_family(path, networks, meta)
