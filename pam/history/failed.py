"""The cells of a run that failed, from the records of its jobs."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pam.errors import DataError
from pam.files import read_json

MOST = 5


def failed_lines(records: Iterable[Path]) -> list[str]:
    """Return how many jobs failed, and why the first ones did; nothing if none did.

    Args:
        records: of all jobs; those that are not there, or cannot be read, are passed over.
    """
    failed = []
    for path in records:
        record: Any = None
        with suppress(DataError):
            record = read_json(path)
        if isinstance(record, dict) and record.get("status", "ok") != "ok":
            cell = f"{path.parent.parent.name}/{path.parent.name}/{path.stem}"
            failed.append(f"  {cell}: {record['status']}: {record.get('reason', '')}")
    if not failed:
        return []
    more = [f"  and {len(failed) - MOST} more"] if len(failed) > MOST else []
    head = f"failed: {len(failed)} jobs; make reproduce RETRY_FAILED=1 runs them once more"
    return [head, *failed[:MOST], *more]
