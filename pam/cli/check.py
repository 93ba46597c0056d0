"""``pam check``: whether a run measured what a reference run measured."""

from argparse import ArgumentTypeError, Namespace

from pam.cli.arguments import Parser, add_results, positive

AGREES, DIFFERS = 0, 1

HELP = "compare the measurements of a run with those of a reference run"
EXAMPLE = "pam check --results results/quick --reference results/reference/quick"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    add_results(parser)
    parser.add_argument(
        "--reference", required=True, metavar="FOLDER", help="folder of the reference run"
    )
    parser.add_argument(
        "--level",
        type=_chance,
        default=0.01,
        metavar="P",
        help="largest expected share of false alarms among the cells named; default: 0.01",
    )
    parser.add_argument("--out", metavar="FILE", help="every cell with its test (CSV)")


def _chance(text: str) -> float:
    level = positive(text)
    if level >= 1:
        raise ArgumentTypeError(f"needs a number between 0 and 1, not '{text}'")
    return level


def run(arguments: Namespace) -> int:
    """Print the comparison; the exit code is 1 if a cell differs or is missing."""
    from pam.reporting.pages.check import report, write_cells
    from pam.reporting.statistics.check import check

    found = check(arguments.results, arguments.reference, arguments.level)
    if arguments.out:
        write_cells(found, arguments.out)
    print(f"{arguments.results} against {arguments.reference}\n{report(found)}")
    return AGREES if found.agrees else DIFFERS
