"""Put the rows of all records into the CSV files of a run, and write its manifest."""

import os

from pam.config import Config
from pam.files import file_hash, write_json
from pam.reporting.aggregate import aggregate
from pam.runs.cells import config_hash, stage_code
from pam.runs.machine import environment
from pam.runs.paths import Paths
from pam.runs.stages import CSV_FILES


def run(config: Config, results: str) -> None:
    """Write the CSV files and the manifest from exactly the records that a configuration asks for.

    Args:
        config: the configuration.
        results: folder of the run.

    Raises:
        DataError: if a record is missing or damaged, or holds a row that fits no CSV file.
    """
    paths = Paths(results)
    records = aggregate(paths.records(config), results, config.deltas)
    settings = config.model_dump()
    manifest = {
        "config": settings,
        "config_hash": config_hash(settings),
        "code_hash": stage_code("aggregate"),
        "aggregated_on": environment(),
        "csv": {name: file_hash(paths.csv(name)) for name in CSV_FILES},
        "jobs": {
            os.path.relpath(path, results): {
                "status": record.status,
                "reason": record.reason,
                **record.provenance.model_dump(exclude_unset=True),
            }
            for path, record in records.items()
        },
    }
    write_json(paths.manifest, manifest)
