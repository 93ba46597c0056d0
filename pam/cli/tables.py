"""``pam tables``: the tables of a run."""

from argparse import Namespace

from pam.cli.arguments import Parser, add_results
from pam.history.stale import stale_tables
from pam.runs.stages import STAGES

HELP = STAGES["tables"].help
EXAMPLE = "pam tables --results results/quick --out results/quick/tables"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    add_results(parser)
    parser.add_argument("--out", metavar="FOLDER", help="default: tables/ in the results")


def run(arguments: Namespace) -> int:
    """Write the tables from the CSV files."""
    from pam.reporting.tables import render_tables

    render_tables(arguments.results, arguments.out, stale_tables(arguments.results))
    return 0
