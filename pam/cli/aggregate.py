"""``pam aggregate``: the CSV files of a run, and its manifest."""

from argparse import Namespace

from pam.cli.arguments import PROFILE, Commands, add_command, add_config, add_results
from pam.config import load_config
from pam.runs.stages import STAGES


def add_parser(commands: Commands) -> None:
    """Add the command."""
    example = f"pam aggregate --config {PROFILE} --results results/quick"
    parser = add_command(commands, "aggregate", STAGES["aggregate"].help, example)
    add_config(parser)
    add_results(parser)


def run(arguments: Namespace) -> int:
    """Write the CSV files from exactly the records that the configuration asks for."""
    from pam.stages.aggregate import run as aggregate

    aggregate(load_config(arguments.config), arguments.results)
    return 0
