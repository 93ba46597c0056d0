"""``pam prepare``."""

from argparse import Namespace

from pam.cli.arguments import Commands
from pam.cli.stage import add_stage_parser, run_stage


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_stage_parser(commands, "prepare")
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="if the data cannot be had, write files that say so: the jobs that follow fail as "
        "cells, and other experiments go on",
    )


def run(arguments: Namespace) -> int:
    """Make and store the data set of an experiment."""
    return run_stage("prepare", arguments, allow_missing=arguments.allow_missing)
