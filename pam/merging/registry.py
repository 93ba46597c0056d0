"""The contract of a merger, and the registry of mergers."""

from collections.abc import Mapping
from typing import Any, Protocol

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork, SingleTaskNetwork
from pam.registry import Registry


class Merger(Protocol):
    """Makes one multitask network of trained single-task networks.

    Args of a call:
        networks: task -> trained network; they share one architecture and input shape.
        data: a merger may use ``train`` and ``validation``, never ``test``.
        seed: of everything random in it.
        **options: as they stand in a configuration; unknown ones raise ConfigError.
    """

    def __call__(
        self,
        networks: Mapping[str, SingleTaskNetwork],
        data: MultitaskDataset,
        *,
        seed: int,
        **options: Any,
    ) -> GroupedNetwork: ...


MERGERS: Registry[Merger] = Registry("merging method")
register = MERGERS.register
