"""Prune a merged network at the strengths of a pruning row, or along its path."""

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
    from pam.pruning import CostPath, Ladder


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the pruned networks; if pruning fails at a strength, those of the weaker ones."""
    from pam.cost import paper_flops
    from pam.pruning import PRUNERS, prune_progressively

    row = job.experiment.row("pruning", job.cell.pruning)
    assert isinstance(row, Pruning)
    repeat = job.experiment.merging[job.cell.merging].repeat
    # Not of the merging row: what is random falls alike for all of them, but for repetitions, and
    # for a pruner as for the one whose baselines it stands beside.
    seed = job.seed(
        "prune", PRUNERS.describe(row.method).beside, *([f"repeat {repeat}"] if repeat else [])
    )
    taken = prune_progressively(
        inputs.merged,
        row.method,
        inputs.dataset,
        row.strengths or _path(job, row, inputs),
        seed=seed,
        fine_tune=row.schedule,
        **row.options,
    )
    networks: dict[float, GroupedNetwork] = {}
    curve: list[Row] = []
    failure = None
    bar = tqdm(desc="prune", unit="network", disable=not sys.stderr.isatty())
    tasks = job.experiment.tasks
    while pruned := attempt(lambda: next(taken, None)):
        if isinstance(pruned, Failure):
            failure = pruned
            break
        networks[pruned.strength] = pruned.network
        curve += training_rows(pruned.curve, "prune", job.axes, pruned.strength)
        bar.set_postfix(strength=pruned.strength, flops=f"{paper_flops(pruned.network, tasks):.3g}")
        bar.update()
    bar.close()

    def save(path: str | Path, label: dict[str, Any]) -> None:
        from pam.networks.family import save_family

        # A weaker network is there all the same, so the file is not one of a failure.
        stopped = {"stopped": asdict(failure)} if failure else {}
        save_family(path, networks, {"origin": label, **stopped})

    return Result({"training": curve}, save, failure, {"seeds": {"prune": seed}})


def ladder_of(row: Pruning) -> "Ladder":
    """Return the strengths of a pruning row that has a path."""
    from pam.pruning import PRUNERS, Ladder

    assert row.path is not None, "a row has strengths or a path"
    return Ladder(PRUNERS.describe(row.method).ladder, row.path.start, row.path.step)


def _path(job: Job, row: Pruning, inputs: Inputs) -> "CostPath":
    """Return the path of a pruning row: drops are counted from the single-task networks."""
    from pam.cost import paper_flops
    from pam.pruning import CostPath
    from pam.training import task_accuracies

    data, path = inputs.dataset, row.path
    assert path is not None, "a row has strengths or a path"
    baseline: dict[str, float] = {}
    for network in inputs.networks.values():
        baseline |= task_accuracies(network, data, data.validation)
    return CostPath(
        ladder_of(row),
        lambda network: paper_flops(network, list(network.tasks)),
        baseline,
        path.stop_at * max(job.config.deltas),
        path.cost_ratio,
        path.most,
    )
