"""The command ``pam``: find the command's module, run it, and say errors in one sentence."""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from pam.cli.parser import make_parser
from pam.errors import PamError

USER_ERROR = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``pam`` and return its exit code.

    0: done. 1: a cell failed under ``--strict``. 2: something the user can mend, said in one
    sentence on the standard error. 130: interrupted.

    Args:
        arguments: the words after ``pam``; those of the process by default.
    """
    parsed = make_parser().parse_args(arguments)
    # A command's module is imported only when it runs: help and figures never wait for torch.
    try:
        return import_module(f"pam.cli.{parsed.command}").run(parsed)
    except PamError as error:
        return _say(str(error))
    except KeyboardInterrupt:
        print("pam: interrupted", file=sys.stderr)
        return INTERRUPTED
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


def _say(sentence: str) -> int:
    print(f"pam: error: {' '.join(sentence.split())}", file=sys.stderr)
    return USER_ERROR
