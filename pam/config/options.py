"""Options of plug-ins in a configuration: names, types and meaning, without importing any."""

import ast
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from pam.config.model import Config, Experiment
from pam.errors import ConfigError
from pam.names import check_known
from pam.source.code import source_modules
from pam.source.signatures import signature

# What a plug-in gets from its caller, and so cannot be an option.
GIVEN_TO_DATASET = frozenset({"root"})
GIVEN_TO_ARCHITECTURE = frozenset({"input_shape"})
GIVEN_TO_MERGER = frozenset({"networks", "data", "seed"})
GIVEN_TO_PRUNER = frozenset({"network", "data", "strengths", "seed"})

_KEYS = {
    "experiments.data": ("pam.data", GIVEN_TO_DATASET),
    "experiments.network": ("pam.networks", GIVEN_TO_ARCHITECTURE),
    "experiments.merging": ("pam.merging", GIVEN_TO_MERGER),
    "experiments.pruning": ("pam.pruning", GIVEN_TO_PRUNER),
}
# Every key of their sections is an option.
_WHOLE = ("pam.data", "pam.networks")


class _Use(NamedTuple):
    """A plug-in that a configuration names, and the options it gives it."""

    key: str
    package: str
    name: str
    options: Mapping[str, Any]
    given: frozenset[str]


def check_plugins(config: Config) -> None:
    """Check, without importing them, the plug-ins a configuration names and their options.

    Raises:
        ConfigError: for the first unknown data set, architecture, merger or pruner; for an option
            that it does not have, has to have, or that is of another type.
    """
    for name, experiment in config.experiments.items():
        for use in _uses(f"experiments.{name}", experiment):
            _check(use)


def option_keys() -> dict[str, str]:
    """Return every option of every registered plug-in, explained.

    A key is ``experiments.merging.pam.alpha``: the section, the plug-in's name, the option.
    """
    found = {}
    for section, (package, given) in _KEYS.items():
        for name in source_modules().names(package):
            for option in signature(package, name).options.values():
                if option.name not in given:
                    default = "Required." if option.default is None else _default(option.default)
                    meaning = option.meaning.replace("``", "`")
                    found[f"{section}.{name}.{option.name}"] = f"{meaning} {default}".strip()
    return found


def check_type(where: str, hint: Any, value: Any) -> None:
    """Check that a value of a configuration is of the type that a hint names.

    Args:
        where: key of the value, for the error.
        hint: a type; one that pydantic does not know passes.
        value: JSON-able.

    Raises:
        ConfigError: if it is not.
    """
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


def _uses(at: str, made: Experiment) -> Iterator[_Use]:
    yield _Use(f"{at}.data", "pam.data", made.dataset, made.data, GIVEN_TO_DATASET)
    yield _Use(
        f"{at}.network", "pam.networks", made.architecture, made.network, GIVEN_TO_ARCHITECTURE
    )
    for kind in ("merging", "relatedness"):
        for row, merging in getattr(made, kind).items():
            key = f"{at}.{kind}.{row}"
            yield _Use(key, "pam.merging", merging.method, merging.options, GIVEN_TO_MERGER)
    for row, pruning in made.pruning.items():
        key = f"{at}.pruning.{row}"
        yield _Use(key, "pam.pruning", pruning.method, pruning.options, GIVEN_TO_PRUNER)


def _check(use: _Use) -> None:
    options, is_open = signature(use.package, use.name)
    known = [name for name in options if name not in use.given]
    # What a row has besides options may be meant too.
    near = [*known, *(() if use.package in _WHOLE else ("method",))]
    for name, value in use.options.items():
        if name in use.given or not is_open:
            check_known(f"option of {use.key}", name, near)
        hint = options[name].hint if name in options else None
        if hint is not None:
            check_type(f"{use.key}.{name}", hint, value)
    for name in known:
        if options[name].default is None and name not in use.options:
            raise ConfigError(f"{use.key}: '{use.name}' needs the option '{name}'")


def _default(source: str) -> str:
    """Return how a configuration would write a default: JSON instead of Python."""
    try:
        return f"Default: {json.dumps(ast.literal_eval(source))}."
    except (ValueError, TypeError):
        return f"Default: {source}."
