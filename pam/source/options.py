"""The one check of options: names, types, ranges, and what has to be given.

The configuration is checked against the source of plug-ins, so that nothing is imported; a call
from Python is checked against the plug-in. Both say the same in the same words.
"""

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pam.errors import ConfigError
from pam.names import check_known, hint
from pam.ranges import IMAGES, LAYERS, OPTIONS, SCHEDULE_KEYS
from pam.registry import MERGER, PRUNER, Kind, Registry
from pam.source.signatures import Signature, signature, signature_of


def check_options(
    kind: Kind,
    name: str,
    options: Mapping[str, Any],
    where: str,
    context: Mapping[str, Any] | None = None,
) -> None:
    """Check the options of a configuration, without importing the plug-in that they are for.

    Args:
        kind: of the plug-in.
        name: registered name.
        options: name -> JSON-able value.
        where: key of the options, for the error.
        context: what checks may look at besides the options, see :data:`pam.ranges.OPTIONS`.

    Raises:
        ConfigError: for an unknown plug-in; for an option that it does not have or has to have,
            or whose value is of another type or out of its range.
    """
    # A row of methods has a key besides options, which may be meant too.
    more = ("method",) if kind in (MERGER, PRUNER) else ()
    _check(kind, name, signature(kind, name), options, where, context or {}, more)


def check_call(
    registry: Registry[Any],
    name: str,
    options: Mapping[str, Any],
    images: int | None = None,
    layers: Sequence[str] = (),
) -> None:
    """Check the options that a plug-in is about to be called with, as :func:`check_options`.

    Args:
        registry: of the plug-in.
        name: registered name.
        options: name -> value.
        images: how many training images there are; None if that is not known.
        layers: names of the hidden layers; none if they are not known.
    """
    where, context = f"{registry.kind.section}.{name}", {IMAGES: images, LAYERS: layers}
    _check(registry.kind, name, signature_of(registry, name), options, where, context)


def check_value(
    where: str, adapter: TypeAdapter[Any], value: Any, context: Mapping[str, Any] | None = None
) -> None:
    """Check a value of an option or of a part of it.

    Raises:
        ConfigError: if it is not of this type or in this range.
    """
    try:
        # As JSON a list may stand for a tuple, while text is still not a number.
        text = json.dumps(value, default=_plain)
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: must be a plain value, not {_shown(value)}") from None
    try:
        adapter.validate_json(text, strict=True, context=dict(context or {}))
    except ValidationError as error:
        raise ConfigError(problem(error, where)) from None


def problem(error: ValidationError, where: str = "") -> str:
    """Return what is wrong in one sentence, led by the key."""
    problems = error.errors(include_url=False)
    if not where:
        first = problems[0]
        keys = [part for part in first["loc"] if part != "[key]"]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    else:
        # Of the ways in which a union does not fit, the one that fits furthest is meant.
        first = max(problems, key=lambda one: (len(one["loc"]), one["type"] in _WORDED))
        keys, more = [part for part in first["loc"] if _is_key(part)], ""
    if first["type"] == "missing" and isinstance(first["loc"][-1], int):
        keys.pop()  # Of a list that is too short; its length is wrong, not what is not there.
    key = where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in keys)
    said = f"{_sentence(first)}{more}"
    return f"{key.removeprefix('.')}: {said}" if key else said


def _plain(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _check(
    kind: Kind,
    name: str,
    parameters: Signature,
    options: Mapping[str, Any],
    where: str,
    context: Mapping[str, Any],
    more: tuple[str, ...] = (),
) -> None:
    taken = {key: one for key, one in parameters.options.items() if key not in kind.given}
    for option in options:
        if option in kind.given or not parameters.is_open:
            check_known(f"option of {where}", option, [*taken, *more])
    defaults = {key: one.default_value for key, one in taken.items()}
    context = {**context, OPTIONS: {**defaults, **options}}
    for option, one in taken.items():
        if option not in options:
            if one.default is None:
                raise ConfigError(f"{where}: '{name}' needs the option '{option}'")
        elif one.adapter is not None:
            check_value(f"{where}.{option}", one.adapter, options[option], context)


def _is_key(part: int | str) -> bool:
    """Tell whether a part of a location is a key, not what pydantic calls a type of a union."""
    types = ("bool", "float", "int", "str")
    return isinstance(part, int) or (re.fullmatch(r"\w+", part) is not None and part not in types)


_WORDED = ("twice", "order", "reserved", "unknown_key", "incomplete", "too_large", "conflict")
"""Problems whose messages are whole sentences."""


def _sentence(problem: Any) -> str:
    """Say a pydantic error in the words of a configuration file."""
    match problem["type"]:
        case "missing" if isinstance(problem["loc"][-1], int):
            return f"has too few values: {_shown(problem['input'])}"
        case "missing":
            near = get_close_matches(str(problem["loc"][-1]), problem["input"], n=1)
            return "this required key is missing" + (f"; is it '{near[0]}'?" if near else "")
        case "extra_forbidden":
            return f"unknown key; {hint(problem['loc'][-1], SCHEDULE_KEYS)}"
        case "string_pattern_mismatch":
            return f"the name must match {problem['ctx']['pattern']}"
        case "too_long":
            return f"has too many values: {_shown(problem['input'])}"
        case "too_short":
            return f"at least {problem['ctx']['min_length']} entry is required"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be a mapping of keys to values, not {_shown(problem['input'])}"
        case "int_type" | "int_from_float":
            return f"must be a whole number, not {_shown(problem['input'])}"
        case "string_type":
            return f"must be text, in quotes, not {_shown(problem['input'])}"
        case "list_type" | "tuple_type":
            return f"must be a list, not {_shown(problem['input'])}"
        case "bool_type":
            return f"must be true or false, not {_shown(problem['input'])}"
        case "float_type":
            return f"must be a number, not {_shown(problem['input'])}"
        case kind if kind in _WORDED:
            return str(problem["msg"])
        case _:
            said = str(problem["msg"]).replace("Input should be", "must be")
            return f"{said}, not {_shown(problem['input'])}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
