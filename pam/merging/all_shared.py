"""Every unit of every network in the shared group: what the PAM authors' code used as B2."""

from collections.abc import Mapping
from typing import Any

from pam.data import MultitaskDataset
from pam.merging.registry import register
from pam.merging.retraining import retrain as train_lightly
from pam.networks import Assembly, GroupedNetwork, SingleTaskNetwork


@register("all_shared")
def all_shared(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    retrain: Mapping[str, Any] | None = None,
) -> GroupedNetwork:
    """Share all units; connections between different networks' units start at zero.

    Args:
        networks: task -> trained network.
        data: for the light retraining.
        seed: of the retraining.
        retrain: schedule of the light retraining.
    """
    assembly = Assembly.unite([Assembly.of(network) for network in networks.values()])
    everyone = frozenset(networks)
    hidden = assembly.architecture.hidden_layers
    assembly = assembly.regroup(
        {layer: [everyone] * len(assembly.groups[layer]) for layer in hidden}
    )
    return train_lightly(assembly.network(), data, retrain, seed, "retrain all_shared")
