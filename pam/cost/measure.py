"""The rows of one cell: accuracy, cost and latency of every combination of tasks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pam.cost.counting import macs_of_parts, paper_flops, parameters
from pam.cost.latency import latencies
from pam.data.dataset import MultitaskDataset
from pam.errors import ConfigError
from pam.groups import all_combinations, combination_name
from pam.networks import GroupedNetwork
from pam.networks.subnetwork import view
from pam.training.evaluate import task_accuracies

CELL = ("experiment", "dataset", "architecture", "merging", "pruning", "strength", "seed")
RUN = ("threads", "device", "config_hash", "code_hash", "data_hash")

Row = dict[str, Any]
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class TaskAccuracy:
    """Accuracy of one task, as fractions, on the validation and the test part."""

    validation: float
    test: float


@dataclass(frozen=True)
class LatencyOptions:
    """What to time: see :func:`pam.cost.latencies`."""

    batch_sizes: tuple[int, ...] = (1,)
    rounds: int = 20
    warmup: int = 3
    backends: tuple[str, ...] = ("torch",)


def task_accuracy(network: GroupedNetwork, dataset: MultitaskDataset) -> dict[str, TaskAccuracy]:
    """Return task -> accuracy of all tasks of a network.

    A task's scores do not depend on which other tasks run, so one pass serves every combination.

    Raises:
        ShapeError: if the network's tasks are not those of the data set.
    """
    validation = task_accuracies(network, dataset, dataset.validation)
    test = task_accuracies(network, dataset, dataset.test)
    return {task: TaskAccuracy(validation[task], test[task]) for task in network.tasks}


def measure_network(
    network: GroupedNetwork,
    dataset: MultitaskDataset,
    singles: Mapping[str, TaskAccuracy],
    cell: Mapping[str, Any],
    run: Mapping[str, Any],
    latency: LatencyOptions | None = None,
) -> Rows:
    """Measure every combination of tasks of a merged or pruned network.

    Costs are those of the sub-network that would be deployed for the combination; its accuracy
    is the mean over its tasks. ``accuracy_drop`` is in percentage points of test accuracy.

    Args:
        network: the network, physically pruned.
        dataset: the data it is judged on.
        singles: task -> accuracy of the single-task network the task came from.
        cell: the columns in ``CELL``; strength 0 is the merged network before pruning.
        run: the columns in ``RUN``; ``threads`` is also the number of threads that is timed.
        latency: what to time; nothing by default.

    Returns:
        Rows of ``measurements``, ``accuracies``, ``groups`` and ``latency``.

    Raises:
        ConfigError: if a column, or the single-task accuracy of a task, is missing, or the
            network holds an operator whose cost is not known.
        ShapeError: if the network does not fit the data set.
        DataError: if a backend of ``latency`` computes other scores than torch.
    """
    cell, run = _checked(cell, run, singles, network.tasks)
    subnetworks = {
        combination: view(network, combination) for combination in network.combinations()
    }
    counts = macs_of_parts(
        subnetworks[tuple(network.tasks)], subnetworks.values(), dataset.input_shape
    )
    costs = {
        combination: {
            "flops": paper_flops(network, combination),
            "macs": count,
            "parameters": parameters(network, combination),
        }
        for combination, count in zip(subnetworks, counts, strict=True)
    }
    accuracy = task_accuracy(network, dataset)
    return {
        **_accuracy_rows(costs, list(network.tasks), accuracy, singles, cell, run, "ok"),
        "groups": _group_rows(network, cell),
        "latency": [] if latency is None else _latency_rows(network, cell, run, latency),
    }


def failed_rows(
    tasks: Iterable[str],
    singles: Mapping[str, TaskAccuracy],
    cell: Mapping[str, Any],
    run: Mapping[str, Any],
    status: str,
) -> Rows:
    """Return the rows of a cell whose network could not be made; what is not known is None.

    ``tasks`` are those of the data set, in order; ``status`` is the kind of failure, e.g.
    ``"collapsed"``. The rest, and the errors, are those of :func:`measure_network`.
    """
    tasks = list(tasks)
    cell, run = _checked(cell, run, singles, tasks)
    unknown: dict[str, int | None] = dict.fromkeys(("flops", "macs", "parameters"))
    costs = dict.fromkeys(all_combinations(tasks), unknown)
    rows = _accuracy_rows(costs, tasks, {}, singles, cell, run, status)
    return {**rows, "groups": [], "latency": []}


def _checked(
    cell: Mapping[str, Any],
    run: Mapping[str, Any],
    singles: Mapping[str, TaskAccuracy],
    tasks: Iterable[str],
) -> tuple[Row, Row]:
    """Return the columns of cell and run in their order."""
    for values, names in ((cell, CELL), (run, RUN)):
        for name in names:
            if name not in values:
                raise ConfigError(f"a measurement lacks the column '{name}'")
    for task in tasks:
        if task not in singles:
            raise ConfigError(f"the accuracy of the single-task network of '{task}' is missing")
    return {name: cell[name] for name in CELL}, {name: run[name] for name in RUN}


def _accuracy_rows(
    costs: Mapping[tuple[str, ...], Mapping[str, int | None]],
    tasks: Sequence[str],
    accuracy: Mapping[str, TaskAccuracy],
    singles: Mapping[str, TaskAccuracy],
    cell: Row,
    run: Row,
    status: str,
) -> Rows:
    """Return the rows of ``measurements`` and ``accuracies``; without accuracies they are None."""

    def mean(combination: Sequence[str], part: str) -> float | None:
        return fmean(getattr(accuracy[t], part) for t in combination) if accuracy else None

    measurements = []
    for combination, cost in costs.items():
        test = mean(combination, "test")
        single = fmean(singles[task].test for task in combination)
        quality = {
            "accuracy": test,
            "validation_accuracy": mean(combination, "validation"),
            "single_task_accuracy": single,
            "accuracy_drop": None if test is None else 100 * (single - test),
        }
        name = {"combination": combination_name(combination), "n_tasks": len(combination)}
        measurements.append({**cell, **name, "status": status, **quality, **cost, **run})
    accuracies = [
        {
            **cell,
            "task": task,
            "status": status,
            "accuracy": mean([task], "test"),
            "validation_accuracy": mean([task], "validation"),
            "single_task_accuracy": singles[task].test,
            "single_task_validation_accuracy": singles[task].validation,
        }
        for task in tasks
    ]
    return {"measurements": measurements, "accuracies": accuracies}


def _group_rows(network: GroupedNetwork, cell: Row) -> list[Row]:
    stage = "pruned" if float(cell["strength"]) else "merged"
    return [
        {**cell, "stage": stage, "layer": layer, "group": group, "neurons": units}
        for layer, groups in network.groups().items()
        for group, units in groups.items()
    ]


def _latency_rows(
    network: GroupedNetwork, cell: Row, run: Row, options: LatencyOptions
) -> list[Row]:
    timings = latencies(
        {cell["merging"]: network},
        backends=options.backends,
        batch_sizes=options.batch_sizes,
        threads=[int(run["threads"])],
        rounds=options.rounds,
        warmup=options.warmup,
    )
    return [{**cell, **timing.columns()} for timing in timings]
