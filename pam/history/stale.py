"""Which rows of a run were made by code that has changed since."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pam.config import Paths
from pam.errors import ConfigError, DataError
from pam.files import read_json
from pam.provenance import code_hash
from pam.reporting.schema import TABLES

_PRUNED = ("prepare", "train", "merge", "prune")
_CELLS = (*_PRUNED, "measure")
_CONDITIONS = (*_PRUNED, "analyse")
STAGES_OF_TABLE = {
    "training": _PRUNED,
    "neuron_information": ("prepare", "train", "merge"),
    "relatedness": ("prepare", "train", "relate"),
    "exclusivity": _CONDITIONS,
    "redundancy": _CONDITIONS,
    "redundancy_samples": _CONDITIONS,
}
"""CSV file -> the stages whose code decides its rows; of all others those of a measured cell."""

PLUGINS = {
    "merge": ("merging", "merging"),
    "prune": ("pruning", "pruning"),
    "relate": ("relatedness", "merging"),
}
"""Stage -> the section of a configuration that names its plug-in, and the name of its row."""

Stale = dict[str, dict[str, tuple[str, ...]]]
"""experiment -> stage -> the rows, e.g. ``("taylor",)``, whose code changed; ``()`` means all."""


def stale_stages(folder: str | Path) -> Stale:
    """Return what of a run was made by other code than today's, from its manifest.

    Args:
        folder: where the CSV files and the manifest of the run lie; without a manifest nothing
            is known, and nothing stale.

    Raises:
        DataError: if the manifest is damaged.
    """
    path = Path(Paths(str(folder)).manifest)
    if not path.exists():
        return {}
    changed: dict[tuple[str, str], list[tuple[str, bool]]] = defaultdict(list)
    try:
        manifest = read_json(path)
        experiments = manifest["config"]["experiments"]
        for job in manifest["jobs"].values():
            told = (_row(job), _is_stale(job, experiments))
            changed[job["experiment"], job["rule"]].append(told)
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not the manifest of a run: it lacks {error}") from error
    stale: Stale = defaultdict(dict)
    for (experiment, stage), told in changed.items():
        rows = {row for row, is_stale in told if is_stale}
        if rows:
            every = all(is_stale for _, is_stale in told)
            stale[experiment][stage] = () if every else tuple(sorted(rows))
    return dict(stale)


def stale_tables(folder: str | Path) -> dict[tuple[str, str], str]:
    """Return (experiment, CSV file) -> the stages in words, e.g. ``merge, prune taylor``.

    Raises:
        DataError: if the manifest is damaged.
    """
    return {
        (experiment, table): words
        for experiment, stages in stale_stages(folder).items()
        for table in TABLES
        if (words := in_words(stages, STAGES_OF_TABLE.get(table, _CELLS)))
    }


def in_words(stages: Mapping[str, tuple[str, ...]], among: tuple[str, ...]) -> str:
    """Return the stale stages among some, in the order of the workflow."""
    return ", ".join(
        " ".join([stage, "/".join(stages[stage])]).strip() for stage in among if stage in stages
    )


def _is_stale(job: Mapping[str, Any], experiments: Mapping[str, Any]) -> bool:
    section, axis = PLUGINS.get(job["rule"], ("", ""))
    experiment = experiments[job["experiment"]]
    method = experiment[section][job[axis]]["method"] if section else None
    return present_code(job, method) != job["code_hash"]


def present_code(job: Mapping[str, Any], method: str | None) -> str | None:
    """Return the hash of the code that a job would run today, None if there is no such code.

    Args:
        job: its provenance.
        method: the plug-in of its stage, if any.
    """
    names = {name: job.get(name) for name in ("architecture", "dataset")}
    try:
        return code_hash(job["rule"], method=method, **names)
    except ConfigError:
        # A plug-in that is no longer there.
        return None


def _row(job: Mapping[str, Any]) -> str:
    return job.get(PLUGINS.get(job["rule"], ("", ""))[1], "")
