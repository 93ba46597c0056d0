"""``pam prepare``."""

from argparse import Namespace

from pam.cli.arguments import Commands
from pam.cli.stage import add_stage_parser, run_stage


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = add_stage_parser(commands, "prepare")
    parser.add_argument("--root", metavar="FOLDER", help="folder of raw data already on disk")
    parser.add_argument("--download", action="store_true", help="fetch raw data that is missing")
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="if the data cannot be had, write files that say so: the jobs that follow fail as "
        "cells, and other experiments go on",
    )


def run(arguments: Namespace) -> int:
    """Make and store the data set of an experiment."""
    options = {name: getattr(arguments, name) for name in ("root", "download", "allow_missing")}
    return run_stage("prepare", arguments, **options)
