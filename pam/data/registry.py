"""The registry of data sets: a function from a folder and options to a MultitaskDataset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pam.data.dataset import MultitaskDataset
from pam.registry import DATASET, Registry
from pam.source import entry_points
from pam.source.options import check_call
from pam.source.signatures import signature_of

DATASETS: Registry[Callable[..., MultitaskDataset]] = Registry(DATASET, entry_points.load)
register = DATASETS.register
"""A ``forecast`` is a function from all options, defaults included, to a :class:`DataSize`."""


@dataclass(frozen=True)
class DataSize:
    """What training depends on.

    Attributes:
        input_shape: (channels, height, width); None if only the files can tell.
        training_images: None if only the files can tell.
    """

    input_shape: tuple[int, int, int] | None = None
    training_images: int | None = None


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
    check_call(DATASETS, name, options)
    return make(None if root is None else Path(root), **options)


def expected_size(name: str, options: Mapping[str, Any]) -> DataSize:
    """Return the size of a registered data set as far as its options and defaults tell it.

    Raises:
        ConfigError: for an unknown data set.
    """
    forecast = DATASETS.forecast(name)
    return DataSize() if forecast is None else forecast(with_defaults(name, options))


def with_defaults(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a registered data set, the defaults of those not given included.

    Raises:
        ConfigError: for an unknown data set.
    """
    parameters = signature_of(DATASETS, name).options.values()
    return {**{one.name: one.default_value for one in parameters}, **options}
