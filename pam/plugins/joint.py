"""One network trained on all tasks from random weights: is merging worth it against training anew?

Multitask practice with a plain sum of losses, which Kurin et al., "In Defense of the Unitary
Scalarization for Deep Multi-Task Learning", NeurIPS 2022, find hard to beat. Of the single-task
networks nothing is used but their widths.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pam.data import MultitaskDataset
from pam.merging import Forecast, register
from pam.merging import retrain as train_network
from pam.networks import Architecture, GroupedNetwork, SingleTaskNetwork, draw_weights
from pam.ranges import ScheduleSettings
from pam.seeds import derive_seed

TRAIN: Mapping[str, Any] = {
    "stages": [{"epochs": 8, "learning_rate": 0.02}, {"epochs": 4, "learning_rate": 0.004}]
}


def _forecast(options: Mapping[str, Any], architecture: Architecture) -> Forecast:
    size = "all_shared" if options.get("width") == "all" else "zipped"
    return Forecast(size, size, schedule=TRAIN, option="train")


@register(
    "joint",
    title="joint training",
    paper="Kurin et al., NeurIPS 2022",
    order=7,
    forecast=_forecast,
)
def joint(
    networks: Mapping[str, SingleTaskNetwork],
    data: MultitaskDataset,
    *,
    seed: int,
    width: Literal["one", "all"] = "one",
    train: ScheduleSettings | None = None,
) -> GroupedNetwork:
    """Train a network whose units all tasks share, on all tasks together.

    Args:
        networks: task -> trained network, of which only the widths count.
        data: trains on ``train``.
        seed: of the initial weights and of the order of samples.
        width: ``"one"``: every layer as wide as the widest of the networks there; ``"all"``: as
            wide as all side by side.
        train: schedule of the training. For a fair comparison give that of the single-task
            networks, the section ``train`` of the experiment (``joint: {train: *train}`` in a
            profile): a merger is not told. By default 8 epochs at 0.02 and 4 at 0.004.
    """
    first = next(iter(networks.values()))
    count = max if width == "one" else sum
    widths = {
        layer: {
            frozenset(networks): count(sum(n.widths[layer].values()) for n in networks.values())
        }
        for layer in first.hidden_layers
    }
    tasks = {task: network.tasks[task] for task, network in networks.items()}
    network = GroupedNetwork(first.architecture, tasks, widths)
    draw_weights(network, derive_seed("joint weights", seed))
    network.to(next(first.parameters()).device)
    return train_network(network, data, TRAIN if train is None else train, seed, "train joint")
