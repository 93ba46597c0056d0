"""A control for PAM: groups of PAM's sizes, but of units drawn at random."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from pam.data import MultitaskDataset
from pam.merging import MERGERS, merge, register
from pam.merging import retrain as train_lightly
from pam.networks import Assembly, GroupedNetwork, SingleTaskNetwork
from pam.ranges import ScheduleSettings
from pam.seeds import derive_seed


@register(
    "random",
    title="random (control)",
    order=4,
    options_of="pam",
    least_tasks=2,
    forecast=MERGERS.forecast("pam"),
)
def random(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    retrain: ScheduleSettings | None = None,
    **of_pam: Any,
) -> GroupedNetwork:
    """Deal the units of every layer to groups as large as PAM's, at random, and retrain lightly.

    As many units are removed as PAM removes. Whatever PAM gains over this control, it gains by
    which units it puts where.

    Args:
        networks: task -> trained network.
        data: for PAM's search and for the light retraining.
        seed: of PAM, of the draw and of the retraining.
        retrain: schedule of the light retraining, once at the end.
        **of_pam: every other option of the merger ``pam``.
    """
    # Retraining between its layers is part of PAM's search, afterwards it decides no group.
    of_pam["retrain"] = retrain if of_pam.get("layerwise") else {"stages": []}
    sizes = merge(networks, "pam", data, seed=seed, **of_pam).widths
    assembly = Assembly.unite([Assembly.of(network) for network in networks.values()])
    generator = torch.Generator().manual_seed(derive_seed("random groups", seed))
    groups = dict(assembly.groups)
    for layer in assembly.architecture.hidden_layers:
        drawn = torch.randperm(len(assembly.groups[layer]), generator=generator)
        groups[layer] = [group for group, units in sizes[layer].items() for _ in range(units)]
        assembly = assembly.take(layer, drawn[: len(groups[layer])])
    # All layers at once: between layers that read each other, no order of moves is right.
    assembly = replace(assembly, groups=groups)
    return train_lightly(assembly.network(), data, retrain, seed, "retrain random")
