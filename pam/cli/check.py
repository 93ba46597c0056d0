"""``pam check``: whether a run measured what a reference run measured."""

from argparse import Namespace

AGREES, DIFFERS = 0, 1


def run(arguments: Namespace) -> int:
    """Print the comparison; the exit code is 1 if a cell differs or is missing."""
    from pam.reporting.pages.check import report, write_cells
    from pam.reporting.statistics.check import check

    found = check(arguments.results, arguments.reference, arguments.level)
    if arguments.out:
        write_cells(found, arguments.out)
    print(f"{arguments.results} against {arguments.reference}\n{report(found)}")
    return AGREES if found.agrees else DIFFERS
