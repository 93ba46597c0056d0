"""``pam reproduction``: the paper's claims beside what runs measured, and the answer in short."""

from argparse import Namespace
from pathlib import Path

from pam.cli.arguments import Parser
from pam.errors import DataError
from pam.files import write_text

BEGIN, END = "<!-- answer: made by pam reproduction -->", "<!-- end of the answer -->"

HELP = "write the page that sets the paper's claims beside what runs measured"
EXAMPLE = (
    "pam reproduction --results results/reference/fashion_mnist \\\n"
    "    --notes docs/reproduction_notes.md --out docs/reproduction.md --answer README.md \\\n"
    "    --picture figures/reference/overview.png"
)


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--results", required=True, nargs="+", metavar="FOLDER", help="folders of runs"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="page (Markdown)")
    parser.add_argument("--notes", metavar="FILE", help="Markdown that the page takes in as it is")
    parser.add_argument(
        "--answer", metavar="FILE", help=f"page whose part after '{BEGIN}' is written anew"
    )
    parser.add_argument(
        "--picture", metavar="FILE", help="what any request costs in every setting (PNG)"
    )


def run(arguments: Namespace) -> int:
    """Write the page from the CSV files of runs and the notes, and the answer into another one."""
    from pam.reporting.pages.reproduction import answer_of, read_runs, reproduction_page

    notes = _read(arguments.notes) if arguments.notes else ""
    runs = read_runs(arguments.results)
    # All is made, and found to be right, before the first page is written.
    pages = {arguments.out: reproduction_page(runs, notes)}
    if arguments.answer:
        before, _, after = _parts(arguments.answer)
        pages[arguments.answer] = f"{before}{BEGIN}\n{answer_of(runs)}\n{END}{after}"
    if arguments.picture:
        # Not above: matplotlib takes its time, and the page needs none.
        from pam.reporting.figures.overview import render

        render(runs, arguments.picture)
    for path, text in pages.items():
        write_text(path, text)
    return 0


def _parts(path: str) -> tuple[str, str, str]:
    """Return what stands before, between and after the marks of the answer."""
    before, begin, rest = _read(path).partition(BEGIN)
    between, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError(
            f"{path} has no lines '{BEGIN}' and '{END}' for the answer to stand between"
        )
    return before, between, after


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
