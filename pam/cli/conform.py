"""``pam conform``: whether a plug-in keeps its contract."""

import os
import signal
from argparse import Namespace

from pam.cli.arguments import Parser
from pam.conformance import KINDS, SUITE, add_settings
from pam.errors import ConfigError

FAILED = 2

HELP = "check on tiny networks and data whether a plug-in keeps its contract"
EXAMPLE = "pam conform --merger zipit --options within=0.5"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    for kind in KINDS:
        what.add_argument(f"--{kind}", metavar="NAME", help=f"registered {kind}")
    add_settings(parser.add_argument)


def run(arguments: Namespace) -> int:
    """Run the tests of the plug-in's kind; the exit code is 2 if one fails."""
    try:
        import pytest
    except ImportError:
        raise ConfigError("pam conform needs pytest: pip install pytest") from None
    from pam.conformance.subject import Subject

    Subject.named(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Pytest takes what a handler of ours raises for a failed test.
        signal.signal(number, signal.SIG_DFL)
    _, *named = arguments.words
    settings = (
        # Neither configuration nor conftest.py nor plug-ins of the folder and the environment.
        *("-c", os.devnull, "--rootdir", os.getcwd(), "--noconftest", "--import-mode=importlib"),
        *("--disable-plugin-autoload", "-p", f"{SUITE}.plugin", "-p", "no:cacheprovider"),
        # A line per test, and a sentence per failure.
        *("--assert=plain", "--tb=line", "-vv", "-rfE", "--no-header", "-W", "ignore"),
    )
    return FAILED if pytest.main([*settings, "--pyargs", SUITE, *named]) else 0
