"""Which rows of a run were made by code that has changed since."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pam.errors import ConfigError
from pam.runs.cells import cell_plugins, stage_module
from pam.runs.paths import is_reference
from pam.runs.record import MANIFEST, Provenance, read_manifest
from pam.runs.stages import AXES, CSV_FILES, STAGES, ancestors, method_axis, stages_of_table
from pam.source.code import code_hash

Stale = dict[str, dict[str, tuple[str, ...]]]
"""experiment -> stage -> the rows, e.g. ``("taylor",)``, whose code changed; ``()`` means all."""


def stale_stages(folder: str | Path) -> Stale:
    """Return what of a run was made by other code than today's, from its manifest.

    Args:
        folder: where the CSV files and the manifest of the run lie; without a manifest nothing
            is known, and nothing stale.
    """
    if not (Path(folder) / MANIFEST).exists():
        return {}
    changed: dict[tuple[str, str], list[tuple[str, bool]]] = defaultdict(list)
    for job in read_manifest(folder).jobs.values():
        is_stale = present_code(job) != job.code_hash
        changed[job.experiment, job.rule].append((_row(job), is_stale))
    stale: Stale = defaultdict(dict)
    for (experiment, stage), jobs in changed.items():
        rows = {row for row, is_stale in jobs if is_stale}
        if rows:
            every = all(is_stale for _, is_stale in jobs)
            stale[experiment][stage] = () if every else tuple(sorted(rows))
    return dict(stale)


def stale_tables(folder: str | Path) -> dict[tuple[str, str], str]:
    """Return (experiment, CSV file) -> the stages in words, e.g. ``merge, prune taylor``.

    Nothing of a reference run: what is drawn of it is committed, and must not change with code.
    ``make status`` says what of it is stale.
    """
    if is_reference(folder):
        return {}
    return {
        (experiment, table): words
        for experiment, stages in stale_stages(folder).items()
        for table in CSV_FILES
        if (words := in_words(stages, _stages_behind(table)))
    }


def in_words(stages: Mapping[str, tuple[str, ...]], among: tuple[str, ...] = tuple(STAGES)) -> str:
    """Return the stale stages among some, in the order of the workflow."""
    return ", ".join(
        " ".join([stage, "/".join(stages[stage])]).strip() for stage in among if stage in stages
    )


def present_code(job: Provenance) -> str | None:
    """Return the hash of the code that a job would run today, None if there is no such code."""
    axis = method_axis(job.rule)
    method = job.config.get(AXES[axis].section, {}).get("method") if axis else None
    names = {name: job.axis(name) for name in ("architecture", "dataset")}
    try:
        return code_hash(stage_module(job.rule), cell_plugins(job.rule, method, names))
    except ConfigError:
        # A plug-in that is no longer there.
        return None


def _stages_behind(table: str) -> tuple[str, ...]:
    writers = stages_of_table(table)
    behind = {one for stage in writers for one in (*ancestors(stage), stage)}
    return tuple(stage for stage in STAGES if stage in behind)


def _row(job: Provenance) -> str:
    axis = method_axis(job.rule)
    return str(job.axis(AXES[axis].column or axis)) if axis else ""
