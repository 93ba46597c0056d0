"""Every job that a configuration asks for, in the order of the file."""

from typing import NamedTuple

from pam.config.model import Config


class TrainedCell(NamedTuple):
    """A single-task network."""

    experiment: str
    task: str
    seed: int


class MergedCell(NamedTuple):
    """A multitask network."""

    experiment: str
    merging: str
    seed: int


class PrunedCell(NamedTuple):
    """A multitask network pruned at every strength, and measured."""

    experiment: str
    merging: str
    pruning: str
    seed: int


def trained_cells(config: Config) -> list[TrainedCell]:
    """Return every single-task network: experiments x tasks x seeds."""
    return [
        TrainedCell(name, task, seed)
        for name, experiment in config.experiments.items()
        for task in experiment.tasks
        for seed in config.seeds
    ]


def merged_cells(config: Config) -> list[MergedCell]:
    """Return every merged network: experiments x mergings x seeds."""
    return [
        MergedCell(name, merging, seed)
        for name, experiment in config.experiments.items()
        for merging in experiment.merging
        for seed in config.seeds
    ]


def pruned_cells(config: Config) -> list[PrunedCell]:
    """Return every pruned and measured network: experiments x mergings x prunings x seeds."""
    return [
        PrunedCell(name, merging, pruning, seed)
        for name, experiment in config.experiments.items()
        for merging in experiment.merging
        for pruning in experiment.pruning
        for seed in config.seeds
    ]
