"""VIBNet with a gate per unit and reader: groups are learned while pruning (docs/reader_gates.md).

An idea of this project, beside the faithful :mod:`pam.pruning.vibnet`.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from pam.data import MultitaskDataset, Split
from pam.networks import Group, GroupedNetwork, ReaderGate
from pam.pruning.reader_costs import edge_weight
from pam.pruning.readers import (
    Edge,
    Moves,
    PerEdge,
    check_chain,
    edge_keys,
    moves,
    reading,
    scale_readers,
    table,
    wires,
)
from pam.pruning.registry import Pruned, curve_rows, register
from pam.pruning.vibnet import (
    INITIAL_LOG_VARIANCE,
    INITIAL_MEAN,
    PENALTY,
    Bottleneck,
    Multipliers,
    kl_coefficients,
    vibnet,
)
from pam.ranges import Finite, NotNegative, Positive, ScheduleSettings
from pam.seeds import derive_seed
from pam.training import fit, schedule_from


@dataclass
class ReaderBottleneck(Bottleneck, ReaderGate):
    """The gates of a :class:`Bottleneck`, one per unit and group that reads it.

    Attributes:
        price: from an edge to a factor on the penalty of its gates.
    """

    price: Callable[[Edge], float] = field(default=lambda edge: 1.0, repr=False)
    keys = staticmethod(edge_keys)

    def read(self, layer: str, group: Group, reader: Group, tensor: Tensor) -> Tensor:
        return self.gated((layer, group, reader), tensor)

    def weight(self, key: Edge) -> float:
        return self.price(key)

    def moved(self, plan: Moves, threshold: float) -> tuple[GroupedNetwork, "ReaderBottleneck"]:
        """Return the network after the moves, to be seen through gates, and these gates.

        What flows stays the same where no noise is: a unit that is seen through another gate than
        before is weighed by the ratio of their means.

        Args:
            plan: made for the network of these gates.
            threshold: gates of a higher log alpha are closed.
        """
        mean, log_variance = self.means(), _detached(self.log_variance)
        network, factors = plan.network, {}
        means: PerEdge = {}
        variances: PerEdge = {}
        for layer in network.hidden_layers:
            origin = self._origins(plan, layer, threshold)
            old = table(network, layer, mean, 0.0)
            new = _taken(old, origin, INITIAL_MEAN)
            after = plan.per_wire(layer, new)
            factors[layer] = torch.where(after > 0, wires(network, layer, old) / after, 1.0)
            old = table(network, layer, log_variance, 0.0)
            means |= plan.per_edge(layer, new)
            variances |= plan.per_edge(layer, _taken(old, origin, INITIAL_LOG_VARIANCE))
        smaller = plan.apply(factors)
        edges = [edge for edge, _ in edge_keys(smaller)]
        return smaller, ReaderBottleneck(
            {edge: nn.Parameter(means[edge]) for edge in edges},
            {edge: nn.Parameter(variances[edge]) for edge in edges},
            self.noise,
            self.price,
        )

    def _origins(self, plan: Moves, layer: str, threshold: float) -> Tensor:
        """Return which gate of a unit each new reader sees it through, int64 (units, new readers).

        Its own if that is open, else the one of least noise among those through which its units
        saw it. -1 where none of them did: such wires are new.
        """
        network = plan.network
        is_open = table(network, layer, self.keep(threshold), False)
        lit = table(network, layer, self.means(), 0.0) > 0
        ranks = table(network, layer, self.signal_to_noise(), -torch.inf)
        # A mean of zero tells nothing of the weights behind it.
        ranks = torch.where(lit, ranks, ranks - _LAST)
        became = plan.became(reading(network.architecture)[layer].layer)
        origins = []
        for reader in plan.readers(layer):
            saw = torch.tensor([reader in now for now in became.values()], device=ranks.device)
            candidates = ranks.masked_fill(~saw, -torch.inf)
            if reader in became:
                column = list(became).index(reader)
                kept = is_open[:, column] & lit[:, column]
                candidates[:, column] = torch.where(kept, torch.inf, candidates[:, column])
            best = candidates.max(dim=1)
            origins.append(torch.where(best.values > -torch.inf, best.indices, -1))
        return torch.stack(origins, dim=1)


_LAST = 1e6


def _detached(values: Mapping[Edge, Tensor]) -> PerEdge:
    return {edge: value.detach() for edge, value in values.items()}


def _taken(values: Tensor, origin: Tensor, fresh: float) -> Tensor:
    """Return the values at the columns ``origin``, and ``fresh`` where that is -1."""
    return torch.where(origin < 0, fresh, values.gather(1, origin.clamp_min(0)))


@contextmanager
def divided_steps(network: GroupedNetwork) -> Iterator[None]:
    """Divide the gradients of a group's weights by the number of its tasks inside the block.

    The loss is a sum over tasks, so a unit of five tasks would take five steps at once.
    """
    handles = [
        parameter.register_hook(partial(torch.div, other=len(group)))
        for node in network.blocks
        for group in network.widths[network.architecture.signals[node].layer]
        for parameter in network.blocks[node][network.block_name(group)].parameters()
        if len(group) > 1
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def portion(data: MultitaskDataset, share: float, seed: int) -> MultitaskDataset:
    """Return the data set with a random share of its training part."""
    if share == 1:
        return data
    train, generator = data.train, torch.Generator().manual_seed(seed)
    order = torch.randperm(len(train), generator=generator)
    index = order[: round(share * len(train))].to(train.images.device)
    return replace(data, train=Split(train.images[index], train.labels[index]))


@register(
    "vibnet_readers",
    title="VIBNet readers",
    paper="reader gates, this project",
    order=10,
    beside="vibnet",
    ladder="growth",
    forecast={"penalty": PENALTY},
)
def vibnet_readers(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Iterable[Positive],
    *,
    seed: int,
    kl_factor: Positive = 1e-4,
    multipliers: Multipliers = "inverse_side",
    conv_multiplier: NotNegative = 1.0,
    fc_multiplier: NotNegative = 1.0,
    threshold: Finite = 0.0,
    gate_learning_rate: Positive = 1.0,
    penalty: ScheduleSettings | None = None,
    leaving_weight: NotNegative = 0.9,
    settled_weight: NotNegative = 0.75,
    epoch_share: Annotated[float, Field(gt=0, le=1)] = 1.0,
    divide_steps: bool = False,
) -> Iterator[Pruned]:
    """Prune progressively, and move units to the groups of the tasks that still read them.

    As :func:`pam.pruning.vibnet.vibnet`, with a gate for every unit and group that reads it. A
    unit without an open gate is removed; the others belong to the tasks of the readers whose
    gates are open (:func:`pam.pruning.readers.moves`). In a network of a single task every unit
    has one reader, so it is pruned by VIBNet itself.

    Args:
        network: connected, a chain of layers; is left as it was.
        data: trains on ``train``.
        strengths: factors of ``kl_factor``, increasing.
        seed: of initial gates, noise and the order of samples.
        kl_factor: weight of the penalty at strength 1.
        multipliers: as for VIBNet.
        conv_multiplier: further factor for convolutions.
        fc_multiplier: further factor for fully connected layers.
        threshold: gates with log(variance / mean^2) above it are closed.
        gate_learning_rate: factor on the learning rate of the gates.
        penalty: schedule at every strength with gates.
        leaving_weight: factor on the penalty of a gate to a reader of fewer tasks than the unit's,
            beside the share of combinations that run it; 0.9 comes to 0.6 for two tasks.
        settled_weight: the same for a reader of the unit's tasks, if these are not all; 0.75 comes
            to 0.5 for two tasks.
        epoch_share: share of the training part that is an epoch of ``penalty``, drawn for every
            strength: 0.5 for steps of half an epoch.
        divide_steps: whether weights of a group of several tasks take steps divided by their
            number while the penalty acts.

    Raises:
        ConfigError: for a residual network.
    """
    settings = {
        "kl_factor": kl_factor,
        "multipliers": multipliers,
        "conv_multiplier": conv_multiplier,
        "fc_multiplier": fc_multiplier,
        "threshold": threshold,
        "gate_learning_rate": gate_learning_rate,
        "penalty": penalty,
    }
    if len(network.tasks) == 1:
        yield from vibnet(network, data, strengths, seed=seed, **settings)
        return
    check_chain("vibnet_readers", network.architecture)
    schedule = schedule_from(
        PENALTY if penalty is None else penalty, "vibnet_readers option 'penalty'"
    )
    coefficients = kl_coefficients(
        network.architecture, multipliers, {"conv": conv_multiplier, "fc": fc_multiplier}
    )
    gated = copy.deepcopy(network)
    gates = ReaderBottleneck.fresh(gated, derive_seed("vibnet gates", seed))
    gates.price = lambda edge: edge_weight(edge, len(network.tasks), leaving_weight, settled_weight)
    for strength in strengths:
        gates.start_noise(derive_seed("vibnet noise", seed, str(strength)))
        with divided_steps(gated) if divide_steps else nullcontext():
            curve = fit(
                gated,
                portion(data, epoch_share, derive_seed("vibnet share", seed, str(strength))),
                schedule,
                derive_seed("vibnet order", seed, str(strength)),
                gate=gates,
                parameters=gates.parameters(),
                parameters_rate=gate_learning_rate,
                penalty=lambda factor=kl_factor * strength, gates=gates: (
                    factor * gates.divergence(coefficients, ())
                ),
                after_step=gates.project,
                generators=[gates.noise],
                description=f"vibnet readers {strength:g}",
            )
        plan = moves(gated, gates.keep(threshold), gates.signal_to_noise())
        gates.reopen(plan.forced)
        gated, gates = gates.moved(plan, threshold)
        yield Pruned(strength, scale_readers(gated, gates.means()), curve_rows(curve, "prune"))
