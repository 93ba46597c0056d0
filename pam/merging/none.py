"""B1, no merging: the single-task networks side by side, every group exclusive to one task."""

from collections.abc import Mapping

from pam.data import MultitaskDataset
from pam.merging.registry import Forecast, register
from pam.networks import Assembly, GroupedNetwork, SingleTaskNetwork


@register(
    "none",
    title="B1 none",
    order=0,
    forecast=lambda options, architecture: Forecast("side_by_side", "side_by_side", trainings=0),
)
def none(
    networks: Mapping[str, SingleTaskNetwork], data: MultitaskDataset, *, seed: int
) -> GroupedNetwork:
    """Return one network in which every task keeps its own; outputs stay as they were."""
    del data, seed
    return Assembly.unite([Assembly.of(network) for network in networks.values()]).network()
