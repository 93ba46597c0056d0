"""VIBNet: pruning by a variational information bottleneck (Dai et al., ICML 2018)."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pam.data import MultitaskDataset
from pam.networks import GroupedNetwork
from pam.pruning.bottleneck import Bottleneck, kl_coefficients
from pam.pruning.fine_tuning import DEFAULT as FINE_TUNE
from pam.pruning.fine_tuning import curve_rows
from pam.pruning.fine_tuning import fine_tune as train_pruned
from pam.pruning.registry import Pruned, register
from pam.pruning.units import connected, remove, scale, spared_groups
from pam.ranges import Finite, NotNegative, Positive, PruneGroups, ScheduleSettings
from pam.seeds import derive_seed
from pam.training import fit, schedule_from

PENALTY: Mapping[str, Any] = {"stages": [{"epochs": 2, "learning_rate": 0.01}]}


@register(
    "vibnet",
    title="VIBNet (P1)",
    paper="Dai et al., ICML 2018",
    order=0,
    forecast={"penalty": PENALTY, "fine_tune": FINE_TUNE},
)
def vibnet(
    network: GroupedNetwork,
    data: MultitaskDataset,
    strengths: Sequence[Positive],
    *,
    seed: int,
    kl_factor: Positive = 1e-4,
    multipliers: Literal["inverse_side"] | Mapping[str, NotNegative] = "inverse_side",
    conv_multiplier: NotNegative = 1.0,
    fc_multiplier: NotNegative = 1.0,
    prune_groups: PruneGroups = "all",
    threshold: Finite = 0.0,
    gate_learning_rate: Positive = 1.0,
    penalty: ScheduleSettings | None = None,
    fine_tune: ScheduleSettings | None = None,
) -> Iterator[Pruned]:
    """Prune progressively; a strength multiplies the Kullback-Leibler penalty.

    At every strength the network is trained with noisy gates and the penalty, units whose noise
    outweighs their signal are removed for good, the gates of a copy are folded into its weights,
    and that copy is fine-tuned without noise. Training with the penalty goes on, at the next
    strength, from before the fine-tuning.

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
        fine_tune: schedule after removal.
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
            generators=gates.generators(),
            description=f"vibnet {strength:g}",
        )
        rows = curve_rows(curve, "prune")
        wanted = {key: mask | (key[1] in spared) for key, mask in gates.keep(threshold).items()}
        keep = connected(gated, wanted, gates.signal_to_noise())
        gates.reopen({key: mask & ~wanted[key] for key, mask in keep.items()})
        gated, gates = remove(gated, keep), gates.take(keep)
        slim = scale(gated, gates.means())
        tuned = train_pruned(
            slim, data, fine_tune, derive_seed("vibnet tune", seed, str(strength)), "fine-tune"
        )
        yield Pruned(strength, slim, rows + curve_rows(tuned, "fine_tune"))
