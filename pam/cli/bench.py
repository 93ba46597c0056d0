"""``pam bench``: find the benchmark's module and run it."""

from argparse import Namespace
from importlib import import_module


def run(arguments: Namespace) -> int:
    """Run the benchmark that was named."""
    return import_module(f"pam.cli.bench_{arguments.benchmark}").run(arguments)


from pam.cli.bench_command import add_bench as add_parser  # noqa: E402, F401
