"""The registry of data sets: a function from a folder and options to a MultitaskDataset."""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pam.data.dataset import MultitaskDataset
from pam.errors import ConfigError
from pam.registry import Registry

DATASETS: Registry[Callable[..., MultitaskDataset]] = Registry("dataset")
register = DATASETS.register


def load(name: str, root: str | Path | None = None, **options: Any) -> MultitaskDataset:
    """Return a registered data set.

    Args:
        name: registered name, e.g. ``"digits"``.
        root: folder of the raw files; a data set that needs none ignores it.
        **options: the keyword arguments of the data set's function.

    Raises:
        ConfigError: for an unknown name or option, or a value outside its range.
        DataError: if raw files are missing or damaged.
    """
    make = DATASETS.get(name)
    _check_options(name, make, options)
    return make(None if root is None else Path(root), **options)


def _check_options(
    name: str, make: Callable[..., MultitaskDataset], options: dict[str, Any]
) -> None:
    parameters = list(inspect.signature(make).parameters.values())[1:]
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    named = {p.name: p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD}
    for option in options:
        if option not in named and not open_ended:
            near = get_close_matches(option, named, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(named))}"
            raise ConfigError(f"dataset '{name}' has no option '{option}'; {hint}")
    for option, parameter in named.items():
        if parameter.default is inspect.Parameter.empty and option not in options:
            raise ConfigError(f"dataset '{name}' needs the option '{option}'")
