"""What of a run failed and may be tried again: data that have come since, cells on request."""

from pathlib import Path

from pam.cli.failures import read_failure
from pam.config import Config, Paths
from pam.errors import DataError
from pam.files import read_json


def missing_data(config: Config, paths: Paths) -> list[str]:
    """Return the descriptions, among those made, of data sets that could not be had."""
    return [path for path in map(paths.data_description, config.experiments) if _tells(path)]


def failed_records(config: Config, paths: Paths) -> list[str]:
    """Return the records, among those made, of cells that failed, by themselves or before."""
    made = [path for path in paths.records(config) if Path(path).is_file()]
    return [str(path) for path in made if read_json(path).get("status", "ok") != "ok"]


def _tells(description: str) -> bool:
    try:
        return read_failure(description) is not None
    except DataError:
        # Not made yet; or damaged, which the job that reads it will say.
        return False
