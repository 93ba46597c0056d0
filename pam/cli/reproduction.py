"""``pam reproduction``: one page, every table of the paper, reported beside measured."""

from argparse import Namespace
from pathlib import Path

from pam.errors import DataError
from pam.files import write_text


def run(arguments: Namespace) -> int:
    """Write the page from the CSV files of runs and the notes."""
    from pam.reporting.pages.reproduction import reproduction_page

    notes = _read(arguments.notes) if arguments.notes else ""
    write_text(arguments.out, reproduction_page(arguments.results, notes))
    return 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
