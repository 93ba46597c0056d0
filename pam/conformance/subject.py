"""The plug-in that is examined."""

import inspect
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pam.conformance import KINDS
from pam.data import DATASETS
from pam.errors import ConfigError
from pam.merging import MERGERS
from pam.names import check_known
from pam.networks import ARCHITECTURES
from pam.pruning import PRUNERS

_REGISTRIES = dict(zip(KINDS, (MERGERS, PRUNERS, DATASETS, ARCHITECTURES), strict=True))
# What plug-ins get from their callers.
_GIVEN = {"networks", "network", "data", "strengths", "seed", "root", "input_shape"}


@dataclass(frozen=True)
class Subject:
    """A plug-in, and how it is examined.

    Attributes:
        kind: of :data:`pam.conformance.KINDS`.
        name: registered name.
        plugin: the registered function.
        options: passed to it.
        root: folder of a data set's raw files.
        strengths: at which a pruner prunes, increasing.
        input_shape: (channels, height, width) of the images that an architecture is built for.
    """

    kind: str
    name: str
    plugin: Callable[..., Any]
    options: Mapping[str, Any]
    root: str | None
    strengths: list[float]
    input_shape: tuple[int, int, int]

    @classmethod
    def named(cls, arguments: Namespace) -> "Subject":
        """Return the plug-in that the arguments of a command line name.

        Raises:
            ConfigError: if they name none or several, it is unknown, or has no such option.
        """
        kinds = [kind for kind in KINDS if getattr(arguments, kind)]
        if len(kinds) != 1:
            raise ConfigError(f"name one plug-in: {', '.join(f'--{kind}' for kind in KINDS)}")
        (kind,) = kinds
        name = getattr(arguments, kind)
        plugin, options = _REGISTRIES[kind].get(name), parse_options(arguments.options)
        parameters = inspect.signature(plugin).parameters.values()
        known = [parameter.name for parameter in parameters if parameter.name not in _GIVEN]
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            for option in options:
                check_known(f"option of {kind} '{name}'", option, known)
        shape = tuple(arguments.input_shape)
        return cls(kind, name, plugin, options, arguments.root, arguments.strengths, shape)


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
