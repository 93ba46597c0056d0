"""Prune a merged network at every strength of a pruning row."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pam.config import Pruning
from pam.stages.failures import Failure, attempt
from pam.stages.job import Inputs, Job, Result
from pam.stages.rows import Row, training_rows

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the pruned networks; if pruning fails at a strength, those of the weaker ones."""
    from pam.pruning import prune_progressively

    row = job.experiment.row("pruning", job.cell.pruning)
    assert isinstance(row, Pruning)
    # Not of the merging row: what is random falls alike for all of them.
    seed = job.seed("prune", row.method)
    taken = prune_progressively(
        inputs.merged,
        row.method,
        inputs.dataset,
        row.strengths,
        seed=seed,
        fine_tune=row.schedule,
        **row.options,
    )
    networks: dict[float, GroupedNetwork] = {}
    curve: list[Row] = []
    failure = None
    bar = tqdm(desc="prune", unit="network", disable=not sys.stderr.isatty())
    while pruned := attempt(lambda: next(taken, None)):
        if isinstance(pruned, Failure):
            failure = pruned
            break
        networks[pruned.strength] = pruned.network
        curve += training_rows(pruned.curve, "prune", job.axes, pruned.strength)
        bar.update()
    bar.close()

    def save(path: str | Path, label: dict[str, Any]) -> None:
        from pam.networks.family import save_family

        # A weaker network is there all the same, so the file is not one of a failure.
        stopped = {"stopped": asdict(failure)} if failure else {}
        save_family(path, networks, {"origin": label, **stopped})

    return Result({"training": curve}, save, failure, {"seeds": {"prune": seed}})
