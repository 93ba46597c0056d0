"""``pam tables``: the tables of a run."""

from argparse import Namespace

from pam.config import Paths


def run(arguments: Namespace) -> int:
    """Write the tables from the CSV files."""
    from pam.reporting.tables import render_tables

    render_tables(arguments.results, arguments.out or Paths(arguments.results).tables)
    return 0
