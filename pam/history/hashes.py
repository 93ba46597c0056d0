"""What the hashes stand for that Snakemake keeps of every job: modules, and settings.

Snakemake keeps of a job only the hashes. So every run writes down what they were made of; where
that is known, ``make status`` can name the module or the key that has changed since.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from pam.config import Config
from pam.errors import DataError
from pam.files import read_json, write_json
from pam.status.jobs import jobs_of

# Beside Snakemake's own notes: of no use without them, and gone with them.
HASHES = ".snakemake/hashes.json"

Meanings = dict[str, dict[str, Any]]
"""``code``: hash -> {module: hash}; ``settings``: hash -> part of the configuration."""


def meanings(config: Config) -> Meanings:
    """Return what the hashes of all jobs of a configuration stand for."""
    jobs = jobs_of(config)
    return {
        "code": {job.code(config): job.modules(config) for job in jobs},
        "settings": {job.settings_hash(config): job.settings(config) for job in jobs},
    }


def remember(config: Config, path: str | Path = HASHES) -> None:
    """Add what the hashes of a configuration stand for to those of earlier runs.

    Raises:
        DataError: if the file cannot be written.
    """
    known, new = recall(path), meanings(config)
    both = {kind: known[kind] | new[kind] for kind in new}
    if both != known:
        write_json(path, both)


def recall(path: str | Path = HASHES) -> Meanings:
    """Return what is known of hashes; of a missing or damaged file nothing."""
    known: Any = {}
    with suppress(DataError):
        known = read_json(path)
    kinds = ("code", "settings")
    if not isinstance(known, dict) or not all(isinstance(known.get(kind), dict) for kind in kinds):
        return {kind: {} for kind in kinds}
    return {kind: known[kind] for kind in kinds}
