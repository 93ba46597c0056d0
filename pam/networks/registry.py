"""The registry of architectures: a function from input shape and options to an Architecture."""

from collections.abc import Callable
from typing import Any

from pam.networks.architecture import Architecture, check_input_shape
from pam.registry import ARCHITECTURE, Registry
from pam.source import entry_points
from pam.source.options import check_call

ARCHITECTURES: Registry[Callable[..., Architecture]] = Registry(ARCHITECTURE, entry_points.load)
register = ARCHITECTURES.register


def architecture(name: str, input_shape: object, **options: Any) -> Architecture:
    """Return a registered architecture.

    Raises:
        ConfigError: for an unknown name or option, or a value out of its range.
        ShapeError: for an impossible input shape.
    """
    make = ARCHITECTURES.get(name)
    check_call(ARCHITECTURES, name, options)
    made = make(check_input_shape(input_shape), **options)
    made.signals  # noqa: B018 - computed once here, so that a too small image is refused early
    return made
