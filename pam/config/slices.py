"""What the result of a stage depends on, as a JSON-able value to hash: no more, no less.

Each slice holds that of the stage before, so a hash names everything upstream as well.
"""

from typing import Any

from pam.config.model import Config

Slice = dict[str, Any]


def prepare_slice(config: Config, experiment: str) -> Slice:
    """Return what a prepared data set depends on."""
    made = config.experiment(experiment)
    return {"dataset": made.dataset, "data": made.data, "tasks": made.tasks}


def train_slice(config: Config, experiment: str) -> Slice:
    """Return what a single-task network depends on, besides its task and seed."""
    made = config.experiment(experiment)
    return {
        **prepare_slice(config, experiment),
        "architecture": made.architecture,
        "network": made.network,
        "train": made.train.model_dump(),
        "threads": config.threads,
        "device": config.device,
    }


def merge_slice(config: Config, experiment: str, merging: str) -> Slice:
    """Return what a merged network depends on, besides its seed."""
    row = config.experiment(experiment).merging_row(merging)
    return {**train_slice(config, experiment), "merging": row.model_dump()}


def prune_slice(config: Config, experiment: str, merging: str, pruning: str) -> Slice:
    """Return what a pruned network depends on, besides its seed."""
    row = config.experiment(experiment).pruning_row(pruning)
    return {**merge_slice(config, experiment, merging), "pruning": row.model_dump()}


def measure_slice(config: Config, experiment: str, merging: str, pruning: str) -> Slice:
    """Return what the measurements of a cell depend on, besides its seed."""
    latency = config.experiment(experiment).latency.model_dump()
    return {**prune_slice(config, experiment, merging, pruning), "latency": latency}


def relate_slice(config: Config, experiment: str, relatedness: str) -> Slice:
    """Return what the counts of a relatedness row depend on, besides its seed."""
    row = config.experiment(experiment).relatedness_row(relatedness)
    return {**train_slice(config, experiment), "relatedness": row.model_dump()}


def analyse_slice(config: Config, experiment: str, merging: str, pruning: str) -> Slice:
    """Return what the analysis of a cell depends on, besides its seed."""
    conditions = config.experiment(experiment).conditions
    asked = {
        "layers": conditions.layers,
        "samples": conditions.samples,
        "exclusivity": merging in conditions.exclusivity,
        "redundancy": merging in conditions.redundancy,
    }
    return {**prune_slice(config, experiment, merging, pruning), "conditions": asked}
