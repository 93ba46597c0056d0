"""Merge the single-task networks of one seed into one multitask network."""

from pam.stages.failures import Failure, attempt
from pam.stages.job import Inputs, Job, Result
from pam.stages.rows import noted_rows, training_rows


def compute(job: Job, inputs: Inputs) -> Result:
    """Return the merged network, and the rows that the merger noted."""
    from pam.merging import merge

    row = job.experiment.row("merging", job.cell.merging)
    # Not of the merging row: what is random falls alike for all of them.
    seed = job.seed("merge")
    facts = {"seeds": {"merge": seed}}
    network = attempt(
        lambda: merge(inputs.networks, row.method, inputs.dataset, seed=seed, **row.options)
    )
    if isinstance(network, Failure):
        return Result(failure=network, facts=facts)
    notes = dict(network.notes)
    curve = training_rows(notes.pop("curve", []), "merge", job.axes)
    rows = {**noted_rows(notes, job.axes), "training": curve}
    notes.pop("rows", None)
    return Result(
        rows=rows,
        save=lambda path, label: network.save(path, {"origin": label}),
        facts={**facts, "notes": notes},
    )
