"""``pam figures``: the figures of a run."""

from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Draw the figures from the CSV files."""
    from pam.reporting.figures import render_figures

    render_figures(arguments.results, arguments.out, only=arguments.only)
    return 0
