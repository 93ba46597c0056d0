"""The steps in which the layers of a network are zipped, and what to zip in a layer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pam.errors import ConfigError
from pam.networks.architecture import Architecture


@dataclass(frozen=True)
class LayerPlan:
    """What to zip in a layer.

    Attributes:
        count: pairs to make, those of least cost; 0 leaves the layer as it is.
        candidates: task -> its units that may be paired, counted within the task; None for all.
    """

    count: int
    candidates: Mapping[str, Collection[int]] | None = None


def zip_steps(architecture: Architecture) -> list[tuple[str, ...]]:
    """Return the hidden layers in steps, such that a step reads itself and earlier steps only.

    Layers that read one another, through however many others, are one step: the channels of a
    residual stage and the blocks that read and extend them. A chain has one layer per step.

    Raises:
        ConfigError: if a batch normalisation follows no convolution, so that it cannot be folded.
    """
    for name, norm in architecture.norms.items():
        if norm.sources[0] not in architecture.weighted:
            raise ConfigError(
                f"'{architecture.name}' cannot be zipped: "
                f"its batch normalisation '{name}' follows no convolution"
            )
    needs: dict[str, set[str]] = {layer: {layer} for layer in architecture.hidden_layers}
    size = -1
    while size != (size := sum(map(len, needs.values()))):
        for node in architecture.weighted.values():
            if node.layer in needs:
                needs[node.layer] |= needs.get(architecture.source_layer(node), set())
    steps: dict[frozenset[str], list[str]] = {}
    for layer, needed in needs.items():
        steps.setdefault(frozenset(needed), []).append(layer)
    # What a step reads needs fewer layers than the step itself.
    return [tuple(steps[needed]) for needed in sorted(steps, key=len)]
