"""Options of a configuration against the signature of the plug-in that will take them."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from pam.config.names import check_known
from pam.errors import ConfigError

# What a plug-in gets from its caller, and so cannot be an option.
GIVEN_TO_DATASET = frozenset({"root"})
GIVEN_TO_ARCHITECTURE = frozenset({"input_shape"})
GIVEN_TO_MERGER = frozenset({"networks", "data", "seed"})
GIVEN_TO_PRUNER = frozenset({"network", "data", "strengths", "seed"})


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
            _check_type(f"{where}.{option}", hints[option], value)


def _check_type(where: str, hint: Any, value: Any) -> None:
    try:
        adapter = TypeAdapter(hint)
    except PydanticSchemaGenerationError:
        return  # A class of the plug-in's own, which only the plug-in can check.
    try:
        # As JSON a list may stand for a tuple, while text is still not a number.
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].replace("Input should be", "must be")
        if first["type"] == "missing":
            said = "has too few values"
        raise ConfigError(f"{where}: {said}: {value!r}") from None
