"""The command ``pam``: find the command's module, run it, and say errors in one sentence."""

import errno
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Sequence

from pam.cli.parser import command_module, make_parser
from pam.durable.stopping import Interrupted, listening, stop_with_workflow
from pam.errors import PamError

USER_ERROR = 2
SIGNALLED = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``pam`` and return its exit code.

    0: done. 1: a cell failed under ``--strict``. 2: something the user can mend, said in one
    sentence on the standard error. 143 or 130: stopped by SIGTERM or SIGINT (Ctrl-C).

    Args:
        arguments: the words after ``pam``; those of the process by default.
    """
    warnings.formatwarning = _in_words
    words = sys.argv[1:] if arguments is None else list(arguments)
    parsed = make_parser().parse_args(words, Namespace(words=words))
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
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
            raise
        return _say(f"cannot write {error.filename or 'a file'}: {error.strerror}")


def _in_words(message: Warning | str, *_: object) -> str:
    """Return how a warning is shown: without the code that gave it."""
    return f"pam: warning: {' '.join(str(message).split())}\n"


def _say(sentence: str) -> int:
    print(f"pam: error: {' '.join(sentence.split())}", file=sys.stderr)
    return USER_ERROR
