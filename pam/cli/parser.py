"""The parser of ``pam``: every command, from the file that bears its name."""

import argparse
from importlib import import_module
from types import ModuleType

import pam
from pam.cli import stage
from pam.cli.arguments import PROFILE, Parser
from pam.runs.stages import CELL_STAGES

# Stages with arguments beyond those that the table of stages gives them.
_SPECIAL_STAGES = ("prepare", "prune")
_COMMANDS = (
    *(
        "init",
        "aggregate",
        "tables",
        "figures",
        "report",
        "compare",
        "reproduction",
        "samples",
        "config",
        "plan",
    ),
    *("conform", "status", "check", "trace", "bench", "export", "predict"),
)


def command_module(name: str) -> ModuleType:
    """Return the module that has ``run`` of a command; none of them imports torch by itself."""
    if name in CELL_STAGES and name not in _SPECIAL_STAGES:
        return stage
    return import_module(f"pam.cli.{name}")


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
    for name in (*CELL_STAGES, *_COMMANDS):
        module = command_module(name)
        if module is stage:
            stage.add_stage_parser(commands, name)
        else:
            module.add_parser(commands)
    return parser
