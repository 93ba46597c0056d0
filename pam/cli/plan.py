"""``pam plan``: the jobs that a configuration asks for, and about how long they will take."""

from argparse import Namespace

from pam.cli.arguments import Parser, add_config, add_seeds, positive

HELP = "print the jobs of a configuration and about how long they will take"
EXAMPLE = "pam plan --config workflow/config/paper.yaml --rate 20"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    add_config(parser)
    add_seeds(parser)
    parser.add_argument(
        "--rate",
        type=positive,
        metavar="TFLOPS",
        help="sustained speed of one job's training; default: 10 on a GPU, 0.03 on a CPU core",
    )
    parser.add_argument(
        "--launch-us",
        type=positive,
        metavar="US",
        help="microseconds of an operation of a step beside its arithmetic; default: 100 on a GPU, "
        "150 on a CPU",
    )
    parser.add_argument(
        "--results",
        metavar="FOLDER",
        help="folder of the run, for its prepared data; default: results/NAME of NAME.yaml",
    )


def run(arguments: Namespace) -> int:
    """Print jobs and estimate; nothing is computed, and nothing written."""
    from pam.stages.estimate import run

    return run(arguments)
