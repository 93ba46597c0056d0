"""PAM: regroup by what neurons know about each task (He et al., KDD 2021)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor

from pam.data import MultitaskDataset
from pam.errors import ConfigError
from pam.information import label_entropy, mutual_information
from pam.merging.activations import information_shares, standardised
from pam.merging.assigning import Assignment, merge_by_assignment
from pam.merging.registry import Forecast, register
from pam.merging.regrouping import Grouping, regroup
from pam.merging.trunks import separate_trunks
from pam.networks import Architecture, Group, GroupedNetwork, SingleTaskNetwork
from pam.ranges import LayerName, Positive, Samples, ScheduleSettings, ShareUnless

Alpha = Annotated[float, Field(ge=0, allow_inf_nan=False), ShareUnless("alpha_unit", "nats")]
AlphaUnit = Literal["nats", "label_entropy", "joint"]
Removed = Literal["drop", "drop_constant", "share", "keep_exclusive"]


def _forecast(options: Mapping[str, Any], architecture: Architecture) -> Forecast:
    layers = len(architecture.hidden_layers) if options.get("layerwise") else 1
    return Forecast("side_by_side", "all_shared", trainings=layers)


@register(
    "pam",
    title="PAM",
    paper="He et al., KDD 2021",
    order=90,
    least_tasks=2,
    forecast=_forecast,
)
def pam(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    alpha: Alpha | Mapping[Literal["conv", "fc"], Alpha] = 0.4,
    alpha_unit: AlphaUnit = "joint",
    layers: Sequence[LayerName] | None = None,
    removed: Removed = "drop",
    samples: Samples = 512,
    standardise: bool = True,
    noise_variance: Positive = 0.1,
    noise_unit: Literal["absolute", "layer_width"] = "layer_width",
    layerwise: bool = False,
    partial: bool = False,
    trunks: Literal["grouped", "separate"] = "grouped",
    retrain: ScheduleSettings | None = None,
) -> GroupedNetwork:
    """Regroup every layer by the exact greedy search, rewire and retrain lightly.

    No layer is left without shared units: where the search would do that, the unit that knows
    most about its least known task stays shared.

    Args:
        networks: task -> trained network.
        data: activations and labels come from ``train``.
        seed: of the sample and of the retraining.
        alpha: bound on the joint information of the neurons that are irrelevant to a task, for
            all layers or per kind, ``{"conv": ..., "fc": ...}``.
        alpha_unit: ``"nats"``, or a fraction of the task's ``"label_entropy"`` (the ceiling of
            the estimate) or of what the whole layer knows, its ``"joint"`` information.
        layers: the layers that are searched; all others are shared. All but the first by
            default: channel maxima of a first layer know next to nothing of the labels.
        removed: what becomes of neurons irrelevant to every task: ``"drop"`` them all,
            ``"drop_constant"`` drops those that never change and shares the others, ``"share"``
            shares all, ``"keep_exclusive"`` leaves each to the task whose network it came from.
        samples: number of training images; the default is all if there are fewer.
        standardise: divide every neuron's activation by its standard deviation, because the
            noise variance is absolute.
        noise_variance: of the estimate, in squared units of the (standardised) activations.
        noise_unit: ``"absolute"``, or ``"layer_width"`` to multiply the noise variance by the
            number of units of the layer. Squared distances add up over units, so that an absolute
            noise variance lets the estimate saturate once a few dozen units are together.
        layerwise: search a layer on the network as merged so far and retrain lightly before the
            next, instead of searching all layers on the single-task networks at once.
        partial: put a neuron into the group of exactly the tasks that it is relevant to. The
            paper shares a neuron that is relevant to several tasks with all of them; of two tasks
            that is the same.
        trunks: of residual networks: ``"grouped"`` gives a channel one group through all additions
            of its stage, ``"separate"`` keeps one trunk per task and regroups first convolutions
            only, as the PAM authors' code does (see :mod:`pam.merging.trunks`).
        retrain: schedule of the light retraining (after every layer if layerwise).

    Raises:
        ConfigError: for a kind of layer without alpha.
        DataError: for activations that are not finite.
    """
    architecture = next(iter(networks.values())).architecture
    bounds = _bounds(alpha, layers, architecture)
    if trunks == "separate" and (architecture.is_chain or layerwise):
        raise ConfigError("pam: trunks 'separate' needs a residual network, and not layerwise")

    def assign(
        layer: str, activations: Tensor, labels: Mapping[str, Tensor], origins: Sequence[str]
    ) -> Assignment:
        everyone: Group = frozenset(labels)
        if layer not in bounds:
            return Assignment([everyone] * activations.shape[1], {"searched": False})
        values = standardised(activations) if standardise else activations.double()
        variance = noise_variance * (values.shape[1] if noise_unit == "layer_width" else 1)
        threshold = {
            task: bounds[layer] * _nats_per_alpha(alpha_unit, values, y, variance)
            for task, y in labels.items()
        }
        grouping = regroup(values, labels, threshold, variance)
        groups = _settle(grouping, partial, values, removed, everyone, origins)
        if everyone not in groups:
            shares = information_shares(values, labels, variance)
            groups[int(shares.amin(0).argmax())] = everyone
        return Assignment(groups, _log(grouping, threshold))

    return merge_by_assignment(
        networks,
        data,
        assign,
        samples=samples,
        layerwise=layerwise,
        retrain=retrain,
        seed=seed,
        rewire=separate_trunks if trunks == "separate" else None,
    )


@register(
    "pam_partial",
    title="PAM partial",
    family="pam",
    order=90,
    options_of="pam",
    least_tasks=2,
    forecast=_forecast,
)
def pam_partial(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    **of_pam: Any,
) -> GroupedNetwork:
    """Regroup as :func:`pam` does, a neuron being shared by exactly the tasks that need it.

    Args:
        networks: task -> trained network.
        data: as for ``pam``.
        seed: as for ``pam``.
        **of_pam: every option of the merger ``pam`` but ``partial``, which is true.
    """
    return pam(networks, data, seed=seed, **{**of_pam, "partial": True})


def _bounds(
    alpha: float | Mapping[str, float],
    layers: Sequence[str] | None,
    architecture: Architecture,
) -> dict[str, float]:
    """Return searched layer -> alpha."""
    bounds = {}
    for layer in architecture.hidden_layers[1:] if layers is None else layers:
        kind = architecture.kind(layer)
        if isinstance(alpha, Mapping) and kind not in alpha:
            raise ConfigError(f"pam: alpha names no bound for '{kind}' layers")
        bounds[layer] = alpha[kind] if isinstance(alpha, Mapping) else alpha
    return bounds


def _nats_per_alpha(unit: str, values: Tensor, labels: Tensor, noise_variance: float) -> float:
    if unit == "label_entropy":
        return label_entropy(labels)
    return mutual_information(values, labels, noise_variance) if unit == "joint" else 1.0


def _settle(
    grouping: Grouping,
    partial: bool,
    values: Tensor,
    removed: str,
    everyone: Group,
    origins: Sequence[str],
) -> list[Group | None]:
    """Return the group of every unit once the removed set has been dealt with."""
    groups = grouping.assignment(partial)
    constant = (values == values[:1]).all(0).tolist()
    for neuron in grouping.removed:
        if removed == "share" or (removed == "drop_constant" and not constant[neuron]):
            groups[neuron] = everyone
        elif removed == "keep_exclusive":
            groups[neuron] = frozenset([origins[neuron]])
    return groups


def _log(grouping: Grouping, threshold: Mapping[str, float]) -> dict[str, Any]:
    return {
        "threshold_nats": dict(threshold),
        "saturation": grouping.saturation,
        "shared": len(grouping.shared),
        "exclusive": {task: len(units) for task, units in grouping.exclusive.items()},
        "removed": len(grouping.removed),
    }
