"""``pam reproduction``: one page, every table of the paper, reported beside measured."""

from argparse import Namespace
from pathlib import Path

from pam.cli.arguments import Commands, add_command
from pam.errors import DataError
from pam.files import write_text


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "reproduction",
        "write the page that sets the paper's tables beside what runs measured",
        "pam reproduction --results results/reference/{fashion_mnist,cartoon,cifar10} \\\n"
        "    --notes docs/reproduction_notes.md --out docs/reproduction.md",
    )
    parser.add_argument(
        "--results", required=True, nargs="+", metavar="FOLDER", help="folders of runs"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="page (Markdown)")
    parser.add_argument("--notes", metavar="FILE", help="Markdown that the page takes in as it is")


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
