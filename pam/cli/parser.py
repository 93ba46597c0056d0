"""The parser of ``pam`` and all its commands."""

import argparse

import pam
from pam.cli import export, predict
from pam.cli.arguments import PROFILE, Parser
from pam.cli.run_commands import add_run_commands
from pam.cli.stage_commands import add_stage_commands


def make_parser() -> Parser:
    """Return the parser of ``pam`` and all its commands; ``command`` is the chosen one's name."""
    parser = Parser(
        prog="pam",
        description="Merge single-task networks, prune them, and count what every task\n"
        "combination costs. The commands up to figures are the steps of the workflow.",
        epilog=f"example:\n  pam config --config {PROFILE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pam {pam.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_stage_commands(commands)
    add_run_commands(commands)
    export.add_parser(commands)
    predict.add_parser(commands)
    return parser
