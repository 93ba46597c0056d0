"""PAM with zipped shared units: what both tasks need is shared, and held once.

A variant of this project, beside the faithful :mod:`pam.merging.pam`. PAM's condition (1) says that
shared units should carry information that all tasks need; PAM as published then keeps such units of
every network, each reading what its own network computed. Here a unit may be shared only if it
knows enough about every task, and units that may be shared are joined across networks by
Multi-Task Zipping, so that the shared part is as narrow as one network's. The rest stays exclusive
to the task whose network it came from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from pam.data import MultitaskDataset
from pam.merging.activations import collect, draw_sample, information_shares, standardised
from pam.merging.assigning import information_rows
from pam.merging.registry import Forecast, register
from pam.merging.zipping import LayerPlan, zip_networks, zip_steps
from pam.networks import Assembly, Group, GroupedNetwork, SingleTaskNetwork
from pam.ranges import LayerName, Samples, ScheduleSettings, Share


@register(
    "pam_zip",
    title="PAM zip",
    family="pam",
    order=90,
    forecast=lambda options, architecture: Forecast(
        "zipped", "side_by_side", trainings=len(zip_steps(architecture))
    ),
)
def pam_zip(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    relevance: Share = 0.5,
    layers: Sequence[LayerName] | None = None,
    samples: Samples = 512,
    retrain: ScheduleSettings | None = None,
) -> GroupedNetwork:
    """Share what is relevant to all tasks, zipped; keep the rest exclusive; retrain lightly.

    Args:
        networks: task -> trained network.
        data: activations, labels and layer inputs come from ``train``.
        seed: of the sample and of the retraining.
        relevance: a unit may be shared if the share of a task's label entropy that it knows is,
            for every task, at least this fraction of its share for its best task; in [0, 1].
            0 lets all be shared (MTZ), 1 next to none.
        layers: the layers judged by relevance; all units of the others may be shared. All but
            the first by default. Once a layer shares nothing, no later layer does; layers of a
            residual stage that read one another all share or none does.
        samples: number of training images; the default is all if there are fewer.
        retrain: schedule of the light retraining after each zipped step.

    Raises:
        DataError: if a weight or an activation is NaN or infinite.
    """
    separate = Assembly.unite([Assembly.of(network) for network in networks.values()]).network()
    hidden = separate.hidden_layers
    judged = hidden[1:] if layers is None else layers
    images, labels = draw_sample(data, samples, seed, networks)
    activations = collect(separate, images, hidden)
    plan: dict[str, LayerPlan] = {}
    sharing = True
    for step in zip_steps(separate.architecture):
        candidates = {}
        for layer in step:
            widths = list(separate.widths[layer].values())
            may = torch.ones(sum(widths), dtype=torch.bool)
            if layer in judged:
                may = relevant_to_all(activations[layer], labels, relevance)
            candidates[layer] = {
                task: mask.nonzero().flatten().tolist()
                for task, mask in zip(networks, may.split(widths), strict=True)
            }
        counts = {layer: min(map(len, candidates[layer].values())) for layer in step}
        sharing = sharing and all(counts.values())
        for layer in step:
            plan[layer] = LayerPlan(counts[layer] if sharing else 0, candidates[layer])
    weights = dict.fromkeys(networks, 1 / len(networks))
    network = zip_networks(
        networks, data, plan, weights, samples=samples, retrain=retrain, seed=seed
    )
    rows = []
    for layer in hidden:
        groups = _groups(list(networks), separate, layer, network.notes["zipped"].get(layer))
        origins = [next(iter(g)) for g, n in separate.widths[layer].items() for _ in range(n)]
        rows += information_rows(layer, activations[layer], labels, groups, origins)
    network.notes["rows"] = {"neuron_information": rows}
    return network


def relevant_to_all(
    activations: torch.Tensor, labels: Mapping[str, torch.Tensor], relevance: float
) -> torch.Tensor:
    """Return which units know about every task at least a fraction of what they know best.

    Args:
        activations: float (samples, units).
        labels: task -> ±1 (samples, labels of the task).
        relevance: the fraction, of shares of label entropy.

    Returns:
        bool (units,).
    """
    shares = information_shares(standardised(activations), labels)
    return shares.amin(0) >= relevance * shares.amax(0)


def _groups(
    tasks: list[str], separate: GroupedNetwork, layer: str, zipped: Mapping[str, Any] | None
) -> list[Group | None]:
    """Return the group that each unit of the single-task networks ended up in."""
    pairs = zipped["pairs"] if zipped else []
    groups: list[Group | None] = []
    for position, task in enumerate(tasks):
        exclusive = frozenset([task])
        joined = {members[position] for members in pairs}
        units = range(separate.widths[layer][exclusive])
        groups += [frozenset(tasks) if unit in joined else exclusive for unit in units]
    return groups
