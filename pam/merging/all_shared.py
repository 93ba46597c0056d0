"""Every unit of every network in the shared group: what the PAM authors' code used as B2."""

from collections.abc import Mapping

from pam.data import MultitaskDataset
from pam.merging.registry import Forecast, register
from pam.merging.registry import retrain as train_lightly
from pam.networks import Assembly, GroupedNetwork, SingleTaskNetwork
from pam.ranges import ScheduleSettings


@register(
    "all_shared",
    title="all shared",
    order=2,
    forecast=lambda options, architecture: Forecast("all_shared", "all_shared"),
)
def all_shared(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    retrain: ScheduleSettings | None = None,
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
