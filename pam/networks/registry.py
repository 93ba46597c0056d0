"""The registry of architectures: a function from input shape and options to an Architecture."""

from collections.abc import Callable
from typing import Any

from pam.errors import ConfigError
from pam.networks.architecture import Architecture, check_input_shape
from pam.registry import Registry

ARCHITECTURES: Registry[Callable[..., Architecture]] = Registry("architecture")
register = ARCHITECTURES.register


def architecture(name: str, input_shape: object, **options: Any) -> Architecture:
    """Return a registered architecture.

    Raises:
        ConfigError: for an unknown name or option.
        ShapeError: for an impossible input shape.
    """
    make = ARCHITECTURES.get(name)
    try:
        made = make(check_input_shape(input_shape), **options)
    except TypeError as error:
        raise ConfigError(f"architecture '{name}': {error}") from error
    made.signals  # noqa: B018 - computed once here, so that a too small image is refused early
    return made
