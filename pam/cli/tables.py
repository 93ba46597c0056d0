"""``pam tables``: the tables of a run."""

from argparse import Namespace

from pam.config import Paths
from pam.status.stale import stale_tables


def run(arguments: Namespace) -> int:
    """Write the tables from the CSV files."""
    from pam.reporting.tables.render import render_tables

    out = arguments.out or Paths(arguments.results).tables
    render_tables(arguments.results, out, stale_tables(arguments.results))
    return 0
