"""Options of a configuration against the signature of the plug-in that will take them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pam.config.options import (
    GIVEN_TO_ARCHITECTURE,
    GIVEN_TO_DATASET,
    GIVEN_TO_MERGER,
    GIVEN_TO_PRUNER,
    check_type,
)
from pam.names import check_known

__all__ = [
    "GIVEN_TO_ARCHITECTURE",
    "GIVEN_TO_DATASET",
    "GIVEN_TO_MERGER",
    "GIVEN_TO_PRUNER",
    "check_options",
]


def check_options(
    where: str, plugin: Callable[..., Any], options: Mapping[str, Any], given: frozenset[str]
) -> None:
    """Check options against a plug-in's parameters and their type hints.

    Args:
        where: key of the options, for the error.
        plugin: what takes them.
        options: name -> JSON-able value.
        given: parameters that the caller fills.

    Raises:
        ConfigError: for an unknown option or a value of another type.
    """
    parameters = inspect.signature(plugin).parameters.values()
    known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.name not in given]
    is_open = any(p.kind is p.VAR_KEYWORD for p in parameters)
    hints = get_type_hints(plugin)
    for option, value in options.items():
        if option in given or not is_open:
            check_known(f"option of {where}", option, known)
        if option in hints:
            check_type(f"{where}.{option}", hints[option], value)
