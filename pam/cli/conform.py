"""``pam conform``: whether a plug-in keeps its contract, in plain words."""

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import yaml

from pam.cli.main import USER_ERROR
from pam.errors import ConfigError

KINDS = ("merger", "pruner", "dataset", "architecture")


def run(arguments: Namespace) -> int:
    """Print a checklist; the exit code is 2 if a check fails."""
    from pam.conformance import conform

    kind = next(kind for kind in KINDS if getattr(arguments, kind))
    name = getattr(arguments, kind)
    results = conform(
        kind,
        name,
        parse_options(arguments.options),
        root=arguments.root,
        strengths=arguments.strengths,
        input_shape=tuple(arguments.input_shape),
    )
    print(f"{kind} '{name}'")
    done = passed = 0
    for result in results:
        done += 1
        passed += result.passed
        print(f"  {'passed' if result.passed else 'FAILED'}  {result.says}", flush=True)
        if not result.passed:
            print(f"          what is missing: {result.missing}")
            print(f"          how to mend it:  {result.mend}")
    if done == 1 and not passed:
        print("the other checks need this one")
        return USER_ERROR
    print(f"{passed} of {done} checks passed")
    return 0 if passed == done else USER_ERROR


def parse_options(words: Sequence[str]) -> dict[str, Any]:
    """Return options given as ``key=value``, every value read as YAML, as in a configuration.

    Raises:
        ConfigError: for a word without ``=`` or a value that is not YAML.
    """
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise ConfigError(f"--options takes key=value, not '{word}'")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"--options: the value of '{key}' is not YAML: {value}") from None
    return options
