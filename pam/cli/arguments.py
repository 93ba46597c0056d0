"""What the arguments of several commands have in common."""

import argparse
import os
import shlex
from collections.abc import Callable, Sequence
from math import inf, nan
from pathlib import Path
from typing import Any, NoReturn

from pam.config.profile import MOST_THREADS
from pam.text_files import shown

PROFILE = "workflow/config/quick.yaml"
# Where raw data lie decides nothing, and is nobody's business but the owner's.
PRIVATE = ("--root",)

Commands = "argparse._SubParsersAction[Parser]"


def file_name(text: str) -> str:
    """Return the path of a file, which has a name and is no folder."""
    if not Path(text).name or os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"needs the name of a file, not '{text}'")
    return text


def utf8(text: str) -> str:
    """Return what is text in UTF-8."""
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"needs printable text in UTF-8, not {shown(text)}")
    return text


def folder_name(text: str) -> str:
    """Return the path of a folder, which is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("needs the name of a folder, not ''")
    return text


_KINDS = {"FILE": file_name, "FOLDER": folder_name, "PATH": folder_name}
"""How an argument is shown in the help -> what reads it."""


class Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong and where to read on."""

    def add_argument(self, *names: Any, **given: Any) -> argparse.Action:
        """Add an argument; one that is shown as a path is checked as one."""
        # An empty default stands for none.
        if given.get("default") != "" and given.get("metavar") in _KINDS:
            given.setdefault("type", _KINDS[given["metavar"]])
        return super().add_argument(*names, **given)

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


def whole(least: int, wanted: str, most: int = 2**63 - 1) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` to ``most``.

    The error begins with what is wanted.
    """

    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > _DIGITS or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{wanted}, not {shown(text)}")
        return int(text)

    return read


_DIGITS = len(str(2**63))
_LARGEST = 1e12
"""Of numbers that are divided by one another, so that nothing comes to infinity."""
count = whole(1, "needs a whole number above 0")
threads = whole(1, f"needs a whole number above 0, at most {MOST_THREADS}", MOST_THREADS)
seed = whole(0, "a seed is a whole number >= 0")


def positive(text: str) -> float:
    """Return a number > 0 that one can count with."""
    number = _number(text)
    if not 1 / _LARGEST <= number <= _LARGEST:
        raise argparse.ArgumentTypeError(
            f"needs a number above 0, {1 / _LARGEST:g} to {_LARGEST:g}, not {shown(text)}"
        )
    return number


def seconds(text: str) -> float:
    """Return a finite number >= 0."""
    number = _number(text)
    if not 0 <= number < inf:
        raise argparse.ArgumentTypeError(f"needs a number of seconds >= 0, not {shown(text)}")
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


def add_results(parser: Parser) -> None:
    """Add the folder of a run."""
    parser.add_argument("--results", required=True, metavar="FOLDER", help="folder of the run")
