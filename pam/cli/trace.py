"""``pam trace``: from a number, a picture or a network to everything behind it."""

import json
from argparse import Namespace
from collections.abc import Sequence

from pam.errors import ConfigError


def run(arguments: Namespace) -> int:
    """Print the tree behind the target."""
    from pam.tracing import render, resolve, trace

    where = parse_where(arguments.where)
    target = resolve(arguments.target, arguments.results)
    if target.kind != "csv" and (where or arguments.row is not None):
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
        ConfigError: if a word is not of that form.
    """
    for word in words:
        if "=" not in word:
            raise ConfigError(f"--where takes COLUMN=VALUE, not '{word}'")
    return {column: value for column, _, value in (word.partition("=") for word in words)}
