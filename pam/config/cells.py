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


class RelatedCell(NamedTuple):
    """The first task related to itself and to every other task."""

    experiment: str
    relatedness: str
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


def related_cells(config: Config) -> list[RelatedCell]:
    """Return every count of what tasks share: experiments x relatedness rows x seeds."""
    return [
        RelatedCell(name, row, seed)
        for name, experiment in config.experiments.items()
        for row in experiment.relatedness
        for seed in config.seeds
    ]


def analysed_cells(config: Config) -> list[PrunedCell]:
    """Return the pruned networks that an experiment's conditions ask about."""
    return [
        cell
        for cell in pruned_cells(config)
        if cell.merging in config.experiments[cell.experiment].conditions.mergings
    ]


def control_seed(config: Config, seed: int) -> int:
    """Return the seed of the second network of the control "identical tasks".

    It is the next seed of the configuration, the first after the last; with a single seed the
    control relates a network to itself.
    """
    following = config.seeds.index(seed) + 1
    return config.seeds[following % len(config.seeds)]
