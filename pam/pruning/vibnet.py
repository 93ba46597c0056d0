"""VIBNet: pruning by a variational information bottleneck (Dai et al., ICML 2018)."""

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from pam.data import MultitaskDataset
from pam.errors import ConfigError
from pam.networks import Architecture, Group, GroupedNetwork
from pam.pruning.registry import Pruned, curve_rows, register
from pam.pruning.units import (
    Key,
    PerUnit,
    connected,
    per_channel,
    remove,
    scale,
    spared_groups,
    unit_keys,
)
from pam.ranges import (
    EveryLayer,
    Finite,
    LayerName,
    NotNegative,
    Positive,
    PruneGroups,
    ScheduleSettings,
)
from pam.seeds import derive_seed
from pam.training import fit, schedule_from

EPSILON = 1e-8
INITIAL_MEAN, INITIAL_LOG_VARIANCE, INITIAL_DEVIATION = 1.0, -9.0, 0.01


@dataclass
class Bottleneck:
    """Gates ``z = mean + sqrt(variance) * noise``, one per unit, for all layers and groups.

    Called as a gate function, it multiplies a unit by ``z`` while gradients are recorded (the
    noise is fresh for every sample and the same at all positions of a map), and by ``mean``
    without noise otherwise.

    Attributes:
        mean, log_variance: float (units,) parameters per layer and group.
        noise: what the noise is drawn from.
    """

    mean: dict[Key, nn.Parameter]
    log_variance: dict[Key, nn.Parameter]
    noise: torch.Generator = field(default_factory=torch.Generator, repr=False)

    keys = staticmethod(unit_keys)
    """From a network to the keys of its gates and their numbers of units."""

    @classmethod
    def fresh(cls, network: GroupedNetwork, seed: int) -> "Bottleneck":
        """Return initial gates: mean N(1, 0.01^2), log variance N(-9, 0.01^2)."""
        generator = torch.Generator().manual_seed(seed)
        device = next(network.parameters()).device

        def draw(center: float, units: int) -> nn.Parameter:
            values = center + INITIAL_DEVIATION * torch.randn(units, generator=generator)
            return nn.Parameter(values.to(device))

        keys = list(cls.keys(network))
        return cls(
            {key: draw(INITIAL_MEAN, units) for key, units in keys},
            {key: draw(INITIAL_LOG_VARIANCE, units) for key, units in keys},
        )

    def start_noise(self, seed: int) -> None:
        """Seed the noise of the steps that follow."""
        self.noise.manual_seed(seed)

    def __call__(self, layer: str, group: Group, tensor: Tensor) -> Tensor:
        return self.gated((layer, group), tensor)

    def gated(self, key: Key, tensor: Tensor) -> Tensor:
        """Return a tensor of units times the gates of a key."""
        mean = self.mean[key]
        if not torch.is_grad_enabled():
            return tensor * per_channel(mean, tensor)
        deviation = torch.exp(0.5 * self.log_variance[key])
        noise = torch.randn(len(tensor), len(mean), generator=self.noise).to(tensor.device)
        return tensor * per_channel(mean + deviation * noise, tensor)

    def parameters(self) -> list[nn.Parameter]:
        """Return all means and log variances."""
        return [*self.mean.values(), *self.log_variance.values()]

    def divergence(self, coefficients: Mapping[str, float], spared: Collection[Group]) -> Tensor:
        """Return sum over units of ``coefficient / 2 * log(1 + mean^2 / variance)``, in nats.

        Args:
            coefficients: per layer, see :func:`kl_coefficients`.
            spared: groups that are not penalised.
        """
        total = torch.zeros(())
        for key, mean in self.mean.items():
            layer, group, *_ = key
            if group not in spared:
                variance = torch.exp(self.log_variance[key]) + EPSILON
                kl = torch.log1p(mean**2 / variance).sum()
                total = total.to(kl.device) + 0.5 * self.weight(key) * coefficients[layer] * kl
        return total

    def weight(self, key: Key) -> float:
        """Return a factor on the coefficient of a key's gates."""
        return 1.0

    def project(self) -> None:
        """Keep means from going below zero, so that they can be folded in before max-pooling."""
        with torch.no_grad():
            for mean in self.mean.values():
                mean.clamp_(min=0.0)

    def log_alpha(self) -> PerUnit:
        """Return log(variance / mean^2) per unit, large where a unit is mostly noise."""
        return {
            key: self.log_variance[key].detach() - torch.log(mean.detach() ** 2 + EPSILON)
            for key, mean in self.mean.items()
        }

    def keep(self, threshold: float) -> PerUnit:
        """Return which units carry more signal than noise: log alpha below the threshold."""
        return {key: alpha < threshold for key, alpha in self.log_alpha().items()}

    def signal_to_noise(self) -> PerUnit:
        """Return -log alpha per unit, the score by which units are compared."""
        return {key: -alpha for key, alpha in self.log_alpha().items()}

    def reopen(self, units: Mapping[Key, Tensor]) -> None:
        """Let gates start afresh, without jitter.

        For units that are kept against their gates: a mean of zero folded into all weights and
        the bias of a unit would leave it dead behind its ReLU, no training could bring it back.

        Args:
            units: bool (units,) per layer and group.
        """
        with torch.no_grad():
            for key, mask in units.items():
                self.mean[key][mask] = INITIAL_MEAN
                self.log_variance[key][mask] = INITIAL_LOG_VARIANCE

    def means(self) -> PerUnit:
        """Return the means, the factors that stay when the noise goes."""
        return {key: mean.detach() for key, mean in self.mean.items()}

    def take(self, keep: Mapping[Key, Tensor]) -> "Bottleneck":
        """Return the gates of the kept units; groups without units are gone."""
        kept = [key for key, mask in keep.items() if bool(mask.any())]
        return Bottleneck(
            {key: nn.Parameter(self.mean[key].detach()[keep[key]]) for key in kept},
            {key: nn.Parameter(self.log_variance[key].detach()[keep[key]]) for key in kept},
            self.noise,
        )


def kl_coefficients(
    architecture: Architecture,
    multipliers: Literal["inverse_side"] | Mapping[str, float],
    kinds: Mapping[str, float],
) -> dict[str, float]:
    """Return the coefficient of each hidden layer's divergence.

    It is multiplier x positions of the map (before pooling) x factor of the layer's kind. With
    ``"inverse_side"`` the multiplier is 1 / sqrt(positions), for a square map 1 / its side.

    Args:
        architecture: of the network.
        multipliers: ``"inverse_side"`` or layer -> multiplier.
        kinds: factor for ``"conv"`` and ``"fc"`` layers.

    Raises:
        ConfigError: for a table that leaves a layer out, or names another.
    """
    layers = architecture.hidden_layers
    positions = {layer: architecture.positions(layer) for layer in layers}
    if multipliers == "inverse_side":
        multipliers = {layer: 1 / sqrt(positions[layer]) for layer in layers}
    if set(multipliers) != set(layers):
        wrong = sorted(set(multipliers) ^ set(layers))[0]
        raise ConfigError(f"vibnet: multipliers must name the layers {layers}; see '{wrong}'")
    return {
        layer: float(multipliers[layer]) * positions[layer] * kinds[architecture.kind(layer)]
        for layer in layers
    }


Multipliers = Literal["inverse_side"] | Annotated[Mapping[LayerName, NotNegative], EveryLayer]
PENALTY: Mapping[str, Any] = {"stages": [{"epochs": 2, "learning_rate": 0.01}]}


@register(
    "vibnet",
    title="VIBNet (P1)",
    paper="Dai et al., ICML 2018",
    order=0,
    ladder="growth",
    forecast={"penalty": PENALTY},
)
def vibnet(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Iterable[Positive],
    *,
    seed: int,
    kl_factor: Positive = 1e-4,
    multipliers: Multipliers = "inverse_side",
    conv_multiplier: NotNegative = 1.0,
    fc_multiplier: NotNegative = 1.0,
    prune_groups: PruneGroups = "all",
    threshold: Finite = 0.0,
    gate_learning_rate: Positive = 1.0,
    penalty: ScheduleSettings | None = None,
) -> Iterator[Pruned]:
    """Prune progressively; a strength multiplies the Kullback-Leibler penalty.

    At every strength the network is trained with noisy gates and the penalty, units whose noise
    outweighs their signal are removed for good, and the gates of a copy are folded into its
    weights. Training with the penalty goes on, at the next strength, from before the fine-tuning
    of that copy.

    Args:
        network: connected; is left as it was.
        data: trains on ``train``.
        strengths: factors of ``kl_factor``, increasing.
        seed: of initial gates, noise and the order of samples.
        kl_factor: weight of the penalty at strength 1.
        multipliers: ``"inverse_side"`` for 1 / side of a layer's map (VIBNet's released code), or
            layer -> multiplier (the PAM authors' per-layer kappa).
        conv_multiplier: further factor for convolutions (the PAM authors' gamma).
        fc_multiplier: further factor for fully connected layers.
        prune_groups: ``"all"``, or ``"shared"`` to spare groups of one of several tasks (the
            PAM authors' later runs).
        threshold: units with log(variance / mean^2) above it are removed; 0 in VIBNet, 0.01 in
            the PAM authors' runs.
        gate_learning_rate: factor on the learning rate of the gates.
        penalty: schedule at every strength with gates.
    """
    schedule = schedule_from(PENALTY if penalty is None else penalty, "vibnet option 'penalty'")
    coefficients = kl_coefficients(
        network.architecture, multipliers, {"conv": conv_multiplier, "fc": fc_multiplier}
    )
    spared = spared_groups(network, prune_groups)
    gated = copy.deepcopy(network)
    gates = Bottleneck.fresh(gated, derive_seed("vibnet gates", seed))
    for strength in strengths:
        gates.start_noise(derive_seed("vibnet noise", seed, str(strength)))
        curve = fit(
            gated,
            data,
            schedule,
            derive_seed("vibnet order", seed, str(strength)),
            gate=gates,
            parameters=gates.parameters(),
            parameters_rate=gate_learning_rate,
            penalty=lambda factor=kl_factor * strength, gates=gates: (
                factor * gates.divergence(coefficients, spared)
            ),
            after_step=gates.project,
            generators=[gates.noise],
            description=f"vibnet {strength:g}",
        )
        wanted = {key: mask | (key[1] in spared) for key, mask in gates.keep(threshold).items()}
        keep = connected(gated, wanted, gates.signal_to_noise())
        gates.reopen({key: mask & ~wanted[key] for key, mask in keep.items()})
        gated, gates = remove(gated, keep), gates.take(keep)
        yield Pruned(strength, scale(gated, gates.means()), curve_rows(curve, "prune"))
