"""``pam trace``: from a number, a picture or a network to everything behind it."""

import json
from argparse import Namespace
from collections.abc import Sequence

from pam.cli.arguments import Parser, whole
from pam.errors import ConfigError

HELP = "show everything behind a figure, table, CSV file or row, network or record"
EXAMPLE = "pam trace results/reference/cartoon/measurements.csv --row 12"


def add_arguments(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("target", metavar="TARGET", help="a file")
    parser.add_argument(
        "--row",
        type=whole(1, "a row is a whole number >= 1"),
        metavar="N",
        help="one row of a CSV file; 1 follows the header",
    )
    parser.add_argument(
        "--where",
        nargs="+",
        default=[],
        metavar="COLUMN=VALUE",
        help="the rows of a CSV file with these values, e.g. merging=pam seed=0 'combination=A&B'",
    )
    parser.add_argument(
        "--results", metavar="FOLDER", help="folder of the run, if the target lies elsewhere"
    )
    parser.add_argument("--full", action="store_true", help="whole hashes, settings and versions")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> int:
    """Print the tree behind the target."""
    from pam.history.targets import resolve
    from pam.history.trace import render, trace

    where = parse_where(arguments.where)
    target = resolve(arguments.target, arguments.results)
    if target.path.suffix != ".csv" and (where or arguments.row is not None):
        raise ConfigError(f"--row and --where pick rows of a CSV file, and {target.path} is none")
    tree = trace(target, arguments.row, where)
    if arguments.json:
        print(json.dumps(tree.as_json(), indent=1))
    else:
        print(render(tree, arguments.full), end="")
    return 0


def parse_where(words: Sequence[str]) -> dict[str, str]:
    """Return column -> value of words such as ``merging=pam``.

    Raises:
        ConfigError: if a word is not of that form, or names a column again.
    """
    where: dict[str, str] = {}
    for word in words:
        if "=" not in word:
            raise ConfigError(f"--where takes COLUMN=VALUE, not '{word}'")
        column, _, value = word.partition("=")
        if column in where:
            raise ConfigError(f"--where names '{column}' twice; name each column once")
        where[column] = value
    return where
