"""B2, Multi-Task Zipping: every unit of one network joined with one of each other network.

He, Zhou and Thiele, "Multi-Task Zipping via Layer-wise Neuron Sharing", NeurIPS 2018, as the
paper's second baseline; :mod:`pam.merging.zipping` does the work. All hidden layers are shared as
far as the widths allow, unless ``shared`` says otherwise.
"""

from collections.abc import Mapping
from typing import Any

from pam.data import MultitaskDataset
from pam.errors import ConfigError
from pam.merging.registry import Forecast, register
from pam.merging.zipping import LayerPlan, zip_networks, zip_steps
from pam.networks import Architecture, Assembly, GroupedNetwork, SingleTaskNetwork
from pam.ranges import LayerName, Positive, Samples, ScheduleSettings, Share, Whole


def _forecast(options: Mapping[str, Any], architecture: Architecture) -> Forecast:
    everything = options.get("shared") is None
    dearest = "zipped" if everything else "side_by_side"
    return Forecast("zipped", dearest, trainings=len(zip_steps(architecture)))


@register(
    "mtz",
    title="B2 MTZ",
    paper="He, Zhou and Thiele, NeurIPS 2018",
    order=1,
    forecast=_forecast,
)
def mtz(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    shared: Share | Mapping[LayerName, Whole] | None = None,
    alpha: Mapping[str, Positive] | None = None,
    samples: Samples = 512,
    retrain: ScheduleSettings | None = None,
) -> GroupedNetwork:
    """Zip networks step by step; ``notes["zipped"]`` tells which units were joined.

    Args:
        networks: task -> trained network.
        data: ``train`` gives the layers' inputs and the light retraining.
        seed: of the choice of images and of the retraining.
        shared: units to share: a fraction of every layer's narrowest network (at least one unit if
            above 0), or layer -> number of units, all that can be where a layer is not named.
        alpha: task -> weight of its error, positive; equal weights by default.
        samples: training images that the Hessians are taken from; the default is all if there are
            fewer.
        retrain: schedule of the light retraining after EACH step: each layer of a chain; in a
            residual network, layers of a stage that read one another are one step.

    Raises:
        ConfigError: for a value outside its range, a layer, task or schedule key not known, or an
            architecture that cannot be zipped.
        DataError: if a weight or an activation is NaN or infinite.
        DivergenceError: if retraining diverges.
    """
    network = Assembly.unite([Assembly.of(part) for part in networks.values()]).network()
    counts = shared_counts(network, shared)
    return zip_networks(
        networks,
        data,
        {layer: LayerPlan(count) for layer, count in counts.items()},
        task_weights(network, alpha),
        samples=samples,
        retrain=retrain,
        seed=seed,
    )


def shared_counts(
    network: GroupedNetwork, shared: float | Mapping[str, int] | None
) -> dict[str, int]:
    """Return hidden layer -> number of units to share, in the order of the layers.

    Args:
        network: the networks side by side.
        shared: as given to :func:`mtz`.

    Raises:
        ConfigError: for an unknown layer, more units than the narrowest network has, or shared
            units that could read none.
    """
    most = {layer: min(network.widths[layer].values()) for layer in network.hidden_layers}
    if shared is None:
        return most
    if not isinstance(shared, Mapping):
        least = 1 if shared > 0 else 0
        return {layer: max(int(shared * width), least) for layer, width in most.items()}
    unknown = [layer for layer in shared if layer not in most]
    if unknown:
        raise ConfigError(f"merging option 'shared': there is no hidden layer '{unknown[0]}'")
    for layer, count in shared.items():
        if count > most[layer]:
            raise ConfigError(
                f"merging option 'shared': layer '{layer}' can share 0 to {most[layer]} units, "
                f"not {count!r}"
            )
    counts = {**most, **shared}
    architecture = network.architecture
    for node in architecture.weighted.values():
        source = architecture.source_layer(node)
        if counts.get(node.layer) and counts.get(source) == 0:
            raise ConfigError(
                f"merging option 'shared': layer '{node.layer}' cannot share units, "
                f"for '{source}' has none that they could read"
            )
    return counts


def task_weights(network: GroupedNetwork, alpha: Mapping[str, float] | None) -> dict[str, float]:
    """Return task -> weight, scaled to sum to 1; equal weights by default.

    Raises:
        ConfigError: if the weights do not name the network's tasks.
    """
    given = dict.fromkeys(network.tasks, 1.0) if alpha is None else dict(alpha)
    if set(given) != set(network.tasks):
        raise ConfigError(
            f"merging option 'alpha' names {sorted(given)}, the tasks are {sorted(network.tasks)}"
        )
    return {task: given[task] / sum(given.values()) for task in network.tasks}
