"""``pam report``: everything of a run on one page."""

from argparse import Namespace
from pathlib import Path

from pam.cli.arguments import Parser, add_results
from pam.files import write_text
from pam.history.stale import stale_tables

HELP = "put a run on one page (HTML) to explore without a connection: charts, tables, origins"
EXAMPLE = "pam report --results results/quick"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    add_results(parser)
    parser.add_argument("--out", metavar="FILE", help="default: report.html in the results")


def run(arguments: Namespace) -> int:
    """Write the report from the CSV files and the manifest."""
    from pam.reporting.pages.report import report_page

    out = arguments.out or Path(arguments.results) / "report.html"
    write_text(out, report_page(arguments.results, stale_tables(arguments.results)))
    return 0
