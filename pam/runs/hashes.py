"""The hashes by which what a job read and wrote is known again."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pam.errors import DataError
from pam.files import json_hash, read_json, stored_hash
from pam.runs.paths import path_in_run

# Their rows are never the same twice.
TIMINGS = ("latency", "resources")


def rows_hash(rows: Mapping[str, Any]) -> str:
    """Return the sha256 (hex) of the rows of a record, timings left out."""
    return json_hash({name: more for name, more in rows.items() if name not in TIMINGS})


def content_hash(path: str | Path) -> str:
    """Return the sha256 (hex) of what a file holds, whatever its bytes: an artefact's hash.

    That is the tensors of a network or a part of a data set, the rows of a record, or the data set
    that a description describes; the hash of one that could not be had is empty.

    Raises:
        DataError: if the file is missing, damaged or none of these.
    """
    if Path(path).suffix != ".json":
        return stored_hash(path)
    content = read_json(path)
    if not isinstance(content, dict) or not {"rows", "data_hash", "status"} & content.keys():
        raise DataError(f"{path} is neither a record nor the description of a data set")
    return rows_hash(content["rows"]) if "rows" in content else content.get("data_hash", "")


def content_hashes(paths: Iterable[str | Path], record: str | Path) -> dict[str, str]:
    """Return path -> hash of its content; paths are seen from the folder of the record's run."""
    return {path_in_run(path, record): content_hash(path) for path in paths}
