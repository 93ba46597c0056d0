"""``pam tables``: the tables of a run."""

from argparse import Namespace

from pam.cli.arguments import Commands, add_command, add_results
from pam.history.stale import stale_tables
from pam.runs.stages import STAGES


def add_parser(commands: Commands) -> None:
    """Add the command."""
    example = "pam tables --results results/quick --out results/quick/tables"
    parser = add_command(commands, "tables", STAGES["tables"].help, example)
    add_results(parser)
    parser.add_argument("--out", metavar="FOLDER", help="default: tables/ in the results")


def run(arguments: Namespace) -> int:
    """Write the tables from the CSV files."""
    from pam.reporting.tables.render import render_tables

    render_tables(arguments.results, arguments.out, stale_tables(arguments.results))
    return 0
