"""What the arguments of several commands have in common."""

import argparse
import os
import shlex
from collections.abc import Sequence
from math import inf, nan
from typing import NoReturn

PROFILE = "workflow/config/quick.yaml"
DATA = "--data results/quick/data/digits_lenet5"
# Where raw data lie decides nothing, and is nobody's business but the owner's.
PRIVATE = ("--root",)

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


def command_line(words: Sequence[str]) -> str:
    """Return the words after ``pam`` as a line for a shell, folders of raw data left out."""
    shown = list(words)
    for index, word in enumerate(shown[:-1]):
        if word in PRIVATE:
            shown[index + 1] = "..."
    return shlex.join(["pam", *shown])


def natural(text: str) -> int:
    """Return a whole number >= 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a whole number >= 0, not '{text}'")
    return int(text)


def count(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, not '{text}'")
    return int(text)


def positive(text: str) -> float:
    """Return a finite number > 0."""
    number = _number(text)
    if not 0 < number < inf:
        raise argparse.ArgumentTypeError(f"needs a number above 0, not '{text}'")
    return number


def seconds(text: str) -> float:
    """Return a finite number >= 0."""
    number = _number(text)
    if not 0 <= number < inf:
        raise argparse.ArgumentTypeError(f"needs a number of seconds >= 0, not '{text}'")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def add_config(parser: Parser) -> None:
    """Add the configuration."""
    parser.add_argument("--config", required=True, metavar="FILE", help="configuration (YAML)")


def add_seeds(parser: Parser) -> None:
    """Add the seeds that are meant, of all that the configuration has."""
    parser.add_argument(
        "--seeds",
        metavar="SEEDS",
        help="only these seeds of the configuration, as '0 1'; default: all",
    )


def add_checkpoints(parser: Parser) -> None:
    """Add how often a job stores how far it came."""
    parser.add_argument(
        "--checkpoint-every",
        type=seconds,
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


def add_results(parser: Parser) -> None:
    """Add the folder of a run."""
    parser.add_argument("--results", required=True, metavar="FOLDER", help="folder of the run")
