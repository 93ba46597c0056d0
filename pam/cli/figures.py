"""``pam figures``: the figures of a run."""

from argparse import Namespace

from pam.cli.arguments import Parser, add_results, count
from pam.garbage import rare_collections
from pam.history.stale import stale_tables
from pam.runs.machine import cores
from pam.runs.stages import STAGES

HELP = STAGES["figures"].help
EXAMPLE = "pam figures --results results/quick --out figures/quick"
_MOST = 4


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    add_results(parser)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the figures go")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="draw only these figures")
    parser.add_argument(
        "--processes",
        type=count,
        metavar="N",
        help=f"how many draw at once (default: as many as there are cores, at most {_MOST})",
    )


def run(arguments: Namespace) -> int:
    """Draw the figures from the CSV files; say so if the rows are of earlier code."""
    from pam.reporting.figures import render_figures

    processes = arguments.processes or min(cores(), _MOST)
    stale = stale_tables(arguments.results)
    with rare_collections():
        render_figures(arguments.results, arguments.out, arguments.only, stale, processes)
    if stale:
        names = ", ".join(dict.fromkeys(experiment for experiment, _ in stale))
        print(f"{arguments.results}: rows of earlier code, as a note in the figures says: {names}")
    return 0
