"""``pam aggregate``: the CSV files of a run, and its manifest."""

import os
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pam.config import Config, Paths, load_config
from pam.errors import DataError
from pam.files import file_hash, read_json, write_json
from pam.provenance import code_hash, config_hash, environment
from pam.reporting.schema import TABLES


def run(arguments: Namespace) -> int:
    """Write the CSV files from exactly the records that the configuration asks for."""
    config = load_config(arguments.config)
    from pam.reporting.aggregate import aggregate

    paths = Paths(arguments.results)
    records = [*paths.data_records(config), *paths.records(config)]
    aggregate(records, arguments.results, config.deltas)
    write_json(paths.manifest, manifest(config, arguments.results, records))
    return 0


def manifest(config: Config, results: str, records: Iterable[Path]) -> dict[str, Any]:
    """Return what a run consists of: configuration, CSV files, and what is known of every job.

    Raises:
        DataError: if a record is missing or damaged.
    """
    jobs = {os.path.relpath(path, results): read_json(path) for path in records}
    for name, record in jobs.items():
        if not {"provenance", "reason"} <= record.keys():
            raise DataError(
                f"{Path(results) / name} is not a record: it needs 'reason' and 'provenance'"
            )
    return {
        "config": config.model_dump(),
        "config_hash": config_hash(config.model_dump()),
        "code_hash": code_hash("aggregate"),
        "aggregated_on": environment(),
        "csv": {name: file_hash(Paths(results).csv(name)) for name in TABLES},
        "jobs": {
            name: {
                "status": record["status"],
                "reason": record["reason"],
                **record["provenance"],
            }
            for name, record in jobs.items()
        },
    }
