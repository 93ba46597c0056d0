"""``pam compare``: what mergers cost of any other one, your own included."""

from argparse import Namespace

from pam.cli.arguments import Parser, add_results, positive
from pam.config.profile import COMPARED_DELTA

HELP = "print what every merger costs of another one at equal accuracy, with intervals"
EXAMPLE = "pam compare --results results/quick --reference pam"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    add_results(parser)
    parser.add_argument(
        "--reference", required=True, metavar="ROW", help="merging row that counts as 1"
    )
    parser.add_argument(
        "--delta",
        type=positive,
        default=COMPARED_DELTA,
        metavar="X",
        help="accuracy given up, in percentage points of validation accuracy; "
        f"default: {COMPARED_DELTA:g}",
    )


def run(arguments: Namespace) -> int:
    """Print a table per experiment."""
    from pam.reporting.run import Run
    from pam.reporting.tables.against import against

    for table in against(Run(arguments.results), arguments.reference, arguments.delta):
        print(table.to_markdown())
    return 0
