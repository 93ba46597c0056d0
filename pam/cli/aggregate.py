"""``pam aggregate``: the CSV files of a run, and its manifest."""

from argparse import Namespace

from pam.cli.arguments import PROFILE, Parser, add_config, add_results, add_seeds
from pam.config import load_config
from pam.runs.stages import STAGES

HELP = STAGES["aggregate"].help
EXAMPLE = f"pam aggregate --config {PROFILE} --results results/quick"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    add_config(parser)
    add_results(parser)
    add_seeds(parser)
    parser.add_argument(
        "--from",
        dest="folders",
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="folders of runs of the same configuration, data and code that hold the records, "
        "e.g. one of every machine; default: the folder of the run alone",
    )


def run(arguments: Namespace) -> int:
    """Write the CSV files from exactly the records that the configuration asks for."""
    from pam.stages.aggregate import run as aggregate

    config = load_config(arguments.config, arguments.seeds)
    aggregate(config, arguments.results, arguments.folders)
    return 0
