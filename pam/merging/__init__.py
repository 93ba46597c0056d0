"""Merging: from single-task networks to one multitask network."""

from collections.abc import Mapping, Sequence
from typing import Any

from pam.data import MultitaskDataset
from pam.errors import ConfigError, ShapeError
from pam.merging import all_shared, mtz, none, pam, pam_zip  # noqa: F401 - their import registers them
from pam.merging.activations import collect, sample_index, second_moments, standardised
from pam.merging.registry import MERGERS, Forecast, Merger, register, retrain
from pam.merging.regrouping import Grouping, regroup
from pam.merging.zipping.hessian import input_rows
from pam.networks import GroupedNetwork, SingleTaskNetwork
from pam.source.options import check_call

__all__ = [
    "MERGERS",
    "Forecast",
    "Grouping",
    "Merger",
    "collect",
    "input_rows",
    "merge",
    "register",
    "regroup",
    "retrain",
    "sample_index",
    "second_moments",
    "standardised",
]


def merge(
    networks: Mapping[str, SingleTaskNetwork] | Sequence[SingleTaskNetwork],
    method: str,
    data: MultitaskDataset,
    *,
    seed: int = 0,
    **options: Any,
) -> GroupedNetwork:
    """Merge trained single-task networks with a registered method.

    Args:
        networks: task -> network (the network takes that task's name), or a sequence: networks
            with distinct tasks of the data set keep theirs, others follow the data set's order.
        method: ``"none"``, ``"mtz"``, ``"all_shared"``, ``"pam"``, ... (see ``MERGERS``).
        data: the data set of the tasks; ``test`` is never used.
        seed: of everything random in the merger.
        **options: of the method.

    Raises:
        ConfigError: for an unknown method, option or value.
        ShapeError: for networks that do not fit one another or the data.
        CollapseError, DivergenceError: if the merged network cannot work.
    """
    merger = MERGERS.get(method)
    named = _by_task(networks, list(data.tasks))
    layers = next(iter(named.values())).hidden_layers
    check_call(MERGERS, method, options, len(data.train), layers)
    for task, network in named.items():
        if task not in data.tasks or len(data.tasks[task]) != network.tasks[task]:
            raise ShapeError(f"task '{task}' of the network does not fit data set '{data.name}'")
        if network.architecture.input_shape != data.input_shape:
            raise ShapeError(
                f"the network of task '{task}' takes {network.architecture.input_shape} images, "
                f"data set '{data.name}' has {data.input_shape}"
            )
    least = MERGERS.describe(method).least_tasks
    if len(named) < least:
        raise ConfigError(f"'{method}' merges at least {least} tasks, not {len(named)}")
    return merger(named, data, seed=seed, **options)


def _by_task(
    networks: Mapping[str, SingleTaskNetwork] | Sequence[SingleTaskNetwork], tasks: Sequence[str]
) -> dict[str, SingleTaskNetwork]:
    """Return task -> network, every network under the name of its task."""
    if not networks:
        raise ConfigError("there are no networks to merge")
    if isinstance(networks, Mapping):
        return {task: network.for_task(task) for task, network in networks.items()}
    names = [next(iter(network.tasks)) for network in networks]
    if len(set(names)) < len(names) or not set(names) <= set(tasks):
        if len(networks) != len(tasks):
            raise ConfigError(
                f"{len(networks)} networks are given for {len(tasks)} tasks: name them"
            )
        names = list(tasks)
    return {task: network.for_task(task) for task, network in zip(names, networks, strict=True)}
