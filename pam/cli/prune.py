"""``pam prune``: prune a merged network, and on request measure what comes of it."""

from argparse import Namespace

from pam.cli.arguments import Commands
from pam.cli.stage import add_stage_parser, run_stage


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_stage_parser(commands, "prune")
    parser.add_argument(
        "--measured",
        metavar="FILE",
        help="also do what `pam measure` does, with its record here, and prune only if the files "
        "are not those of this very job already",
    )


def run(arguments: Namespace) -> int:
    """Prune, then measure if asked to: one process loads libraries and data once."""
    measures = bool(arguments.measured)
    code = run_stage("prune", arguments, only_if_changed=measures)
    if not measures or code:
        return code
    names = {"merged": arguments.network, "pruned": arguments.out, "record": arguments.measured}
    return run_stage("measure", Namespace(**{**vars(arguments), **names, "out": ""}))
