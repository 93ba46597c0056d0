"""``pam figures``: the figures of a run."""

from argparse import Namespace

from pam.status.stale import stale_tables


def run(arguments: Namespace) -> int:
    """Draw the figures from the CSV files; say so if the rows are of earlier code."""
    from pam.reporting.figures import render_figures

    stale = stale_tables(arguments.results)
    render_figures(arguments.results, arguments.out, only=arguments.only, stale=stale)
    if stale:
        names = ", ".join(dict.fromkeys(experiment for experiment, _ in stale))
        print(f"{arguments.results}: rows of earlier code, as a note in the figures says: {names}")
    return 0
