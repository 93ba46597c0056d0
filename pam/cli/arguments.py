"""What the arguments of several commands have in common."""

import argparse
import os
from math import inf
from typing import NoReturn

PROFILE = "workflow/config/quick.yaml"
CELL = f"--config {PROFILE} --experiment digits_lenet5"
DATA = "--data results/quick/data/digits_lenet5"

Commands = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong and where to read on."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"pam: error: {message}; see {self.prog} --help\n")


def add_command(commands: Commands, name: str, says: str, example: str) -> Parser:
    """Add a command and return its parser; ``example`` is what its help shows."""
    return commands.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a whole number >= 0, not '{text}'")
    return int(text)


def count(text: str) -> int:
    """Return a whole number above 0.

    Raises:
        ArgumentTypeError: if the text is none.
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, not '{text}'")
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < inf:
        raise argparse.ArgumentTypeError(f"needs a number of seconds >= 0, not '{text}'")
    return number


_CELL_ARGUMENTS: dict[str, dict[str, object]] = {
    "config": {"metavar": "FILE", "help": "configuration (YAML)"},
    "experiment": {"metavar": "NAME", "help": "an experiment of the configuration"},
    "task": {"metavar": "NAME", "help": "a task of the experiment"},
    "merging": {"metavar": "NAME", "help": "a merging (relate: relatedness) row of the experiment"},
    "pruning": {"metavar": "NAME", "help": "a pruning row of the experiment"},
    "seed": {"type": _natural, "metavar": "N", "help": "a seed of the configuration"},
    "data": {"metavar": "FOLDER", "help": "data set made by `pam prepare`"},
}


def add_cell(parser: Parser, *names: str) -> None:
    """Add the arguments of these names, all of them required: those that say which cell it is."""
    for name in names:
        parser.add_argument(f"--{name}", required=True, **_CELL_ARGUMENTS[name])  # type: ignore[arg-type]


def add_outputs(parser: Parser) -> None:
    """Add where a network and its record go."""
    parser.add_argument("--out", required=True, metavar="FILE", help="network (.safetensors)")
    add_record(parser)
    add_checkpoints(parser)


def add_record(parser: Parser) -> None:
    """Add where record and log go, and whether a failed cell is an error."""
    parser.add_argument("--record", required=True, metavar="FILE", help="record of the job (.json)")
    add_log(parser)
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if the cell fails, e.g. diverges"
    )


def add_checkpoints(parser: Parser) -> None:
    """Add how often a job stores how far it came."""
    parser.add_argument(
        "--checkpoint-every",
        type=_seconds,
        default=os.environ.get("PAM_CHECKPOINT_EVERY", "60"),
        metavar="SECONDS",
        help="how often to store how far the job came, so that it can go on from there; "
        "0: at every step; default: PAM_CHECKPOINT_EVERY of the environment, or 60",
    )


def add_log(parser: Parser) -> None:
    """Add what the record tells of the log."""
    parser.add_argument(
        "--log",
        default="",
        metavar="FILE",
        help="where what this job says is kept; only noted in the record",
    )


def add_networks(parser: Parser) -> None:
    """Add the single-task networks."""
    parser.add_argument(
        "--networks",
        required=True,
        nargs="+",
        metavar="FILE",
        help="single-task network of every task, made by `pam train`",
    )


def add_networks_of_stages(parser: Parser) -> None:
    """Add the networks of a cell: merged, and pruned."""
    parser.add_argument(
        "--merged", required=True, metavar="FILE", help="merged network made by `pam merge`"
    )
    parser.add_argument(
        "--pruned", required=True, metavar="FILE", help="pruned networks made by `pam prune`"
    )


def add_results(parser: Parser) -> None:
    """Add the folder of a run."""
    parser.add_argument("--results", required=True, metavar="FOLDER", help="folder of the run")
