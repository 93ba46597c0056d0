"""``pam merge``: one multitask network of the single-task networks of one seed."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from pam.cli.failures import Failure, attempt, save_failure
from pam.cli.inputs import description, failure_before, read_dataset, read_singles
from pam.cli.job import Job
from pam.cli.resuming import resumable
from pam.cli.rows import noted_rows, training_rows
from pam.config import merge_slice

if TYPE_CHECKING:
    from pam.data import MultitaskDataset
    from pam.networks import GroupedNetwork


def run(arguments: Namespace) -> int:
    """Merge and write network and record; what failed before is passed on."""
    job = Job.begin("merge", arguments)
    dataset, data = read_dataset(job, arguments.data)
    row = job.experiment.merging_row(arguments.merging)
    made_of = merge_slice(job.config, arguments.experiment, arguments.merging)
    origin = job.origin(made_of, job.code(row.method), data)
    # Not of the merging row: what is random falls alike for all of them.
    seed = job.seed("merge")
    facts: dict[str, Any] = {"seeds": {"merge": seed}}
    with resumable(job, arguments, origin, arguments.networks):
        earlier = failure_before(dataset, arguments.networks)
        result = earlier or attempt(lambda: _merge(job, dataset, arguments.networks, seed))
        rows: dict[str, list[dict[str, Any]]] = {}
        failure = None
        if isinstance(result, Failure):
            save_failure(arguments.out, result, origin.label)
            failure = result.within("not merged") if earlier else result
        else:
            notes = dict(result.notes)
            result.save(arguments.out, {"origin": origin.label})
            curve = training_rows(notes.pop("curve", []), "merge", job.axes)
            rows = {**noted_rows(notes, job.axes), "training": curve}
            notes.pop("rows", None)
            facts["notes"] = notes
        return job.finish(
            origin,
            parents=[description(arguments.data), *arguments.networks],
            outputs=[arguments.out],
            rows=rows,
            failure=failure,
            facts=facts,
        )


def _merge(job: Job, dataset: "MultitaskDataset", paths: list[str], seed: int) -> "GroupedNetwork":
    from pam.merging import merge

    name = job.axes["merging"]
    row = job.experiment.merging_row(name)
    networks = read_singles(job, dataset, paths)
    return merge(networks, row.method, dataset, seed=seed, **row.options)
