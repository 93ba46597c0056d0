"""The command ``pam``: find the command's module, run it, and say errors in one sentence."""

import argparse
import errno
import io
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import pam
from pam.cli import stage
from pam.cli.arguments import PROFILE, Parser, add_command
from pam.durable.stopping import Interrupted, listening, stop_with_workflow
from pam.errors import PamError
from pam.runs.stages import CELL_STAGES

_COMMANDS = (
    *("init", "aggregate", "tables", "figures", "gallery", "report", "compare"),
    *("reproduction", "samples"),
    *("config", "plan", "conform", "status", "check", "trace", "bench", "export", "predict"),
)


def command_module(name: str) -> ModuleType:
    """Return the module that has ``run`` of a command; none of them imports torch by itself."""
    return stage if name in CELL_STAGES else import_module(f"pam.cli.{name}")


def make_parser(only: str = "") -> Parser:
    """Return the parser of ``pam`` and its commands; ``command`` is the chosen one's name.

    Args:
        only: the command that is given; if it is one, nothing is loaded of the others.
    """
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
    names = (*CELL_STAGES, *_COMMANDS)
    for name in (only,) if only in names else names:
        module = command_module(name)
        if module is stage:
            stage.add_stage_parser(commands, name)
        else:
            module.add_arguments(add_command(commands, name, module.HELP, module.EXAMPLE))
    return parser


USER_ERROR = 2
SIGNALLED = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``pam`` and return its exit code.

    0: done. 1: a cell failed under ``--strict``. 2: something the user can mend, said in one
    sentence on the standard error. 143 or 130: stopped by SIGTERM or SIGINT (Ctrl-C).
    """
    warnings.formatwarning = _in_words
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The name of a file need not be text.
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else list(arguments)
    parsed = make_parser(words[0] if words else "").parse_args(words, Namespace(words=words))
    stop_with_workflow()
    try:
        with listening():
            return command_module(parsed.command).run(parsed)
    except PamError as error:
        return _say(str(error))
    except Interrupted as stopped:
        rest = f" at {stopped.where}; the same command goes on from there" if stopped.where else ""
        print(f"pam {parsed.command}: {stopped}{rest}", file=sys.stderr)
        return SIGNALLED + stopped.signal
    except MemoryError:
        return _say("there is not enough memory for this job")
    except BrokenPipeError:
        # Whoever read the output has gone; nothing may be flushed to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
            return _say(f"cannot write {error.filename or 'a file'}: {error.strerror}")
        if not error.filename:
            raise
        # A folder where a file is due, or a file where a folder is, a name that is too long.
        return _say(f"cannot use {error.filename}: {error.strerror}")


def _in_words(message: Warning | str, *_: object) -> str:
    """Return how a warning is shown: without the code that gave it."""
    return f"pam: warning: {' '.join(str(message).split())}\n"


def _say(sentence: str) -> int:
    from pam.text_files import UNSHOWN

    # A name out of somebody's file may hold anything.
    shown = UNSHOWN.sub(lambda letter: ascii(letter[0])[1:-1], " ".join(sentence.split()))
    print(f"pam: error: {shown}", file=sys.stderr)
    return USER_ERROR
