"""The training that each stage of an experiment asks for, from the cheapest to the dearest way.

How much a merger shares decides what its network costs, and is known only once it has merged. So
every stage has two ends: the cheapest grouping that the merger may find, and the dearest.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pam.cli.options import (
    GIVEN_TO_ARCHITECTURE,
    GIVEN_TO_MERGER,
    GIVEN_TO_PRUNER,
    check_options,
)
from pam.config import Config, Experiment
from pam.config.model import Merging, Pruning
from pam.cost.planning import Machine, Size, Work, all_shared, side_by_side, single, training
from pam.data.sizes import DataSize
from pam.merging import MERGERS
from pam.merging.retraining import DEFAULT as RETRAIN
from pam.merging.zipping import zip_steps
from pam.networks import ARCHITECTURES, Architecture
from pam.networks import architecture as build_architecture
from pam.pruning import PRUNERS
from pam.pruning.fine_tuning import DEFAULT as FINE_TUNE
from pam.pruning.vibnet import PENALTY
from pam.training import Schedule, schedule_from

STAGES = ("train", "merge", "prune", "relate")
"""The stages that train."""
ZIPPERS = ("mtz", "pam_zip")
PAIR = 2

Settings = Mapping[str, Any]
UNTRAINED: Settings = {"stages": []}


class Range(NamedTuple):
    """The two ends of an estimate."""

    low: Work = Work()
    high: Work = Work()

    def plus(self, other: "Range") -> "Range":
        """Return the estimate of both."""
        return Range(self.low + other.low, self.high + other.high)

    def times(self, count: int) -> "Range":
        """Return the estimate of so many."""
        return Range(self.low * count, self.high * count)


class Sizes(NamedTuple):
    """The two ends of what a network may be."""

    low: Size
    high: Size


@dataclass(frozen=True)
class Plan:
    """What decides how long the jobs of one experiment train."""

    config: Config
    name: str
    architecture: Architecture
    images: int
    machine: Machine

    @property
    def experiment(self) -> Experiment:
        """The experiment of this name."""
        return self.config.experiment(self.name)

    def stages(self) -> dict[str, Range]:
        """Return stage -> training of all its jobs; see ``STAGES``.

        Raises:
            ConfigError: for an unknown method or option, or a schedule that cannot be.
        """
        made, seeds = self.experiment, len(self.config.seeds)
        size = single(self.architecture)
        trained = self._training(Sizes(size, size), made.train.schedule, "train")
        merged = pruned = related = Range()
        tasks = len(made.tasks)
        for row, merging in made.merging.items():
            merged = merged.plus(self._merging("merging", row, merging, tasks))
            sizes = merged_sizes(merging.method, merging.options, self.architecture, tasks)
            for name, pruning in made.pruning.items():
                pruned = pruned.plus(self._pruning(name, pruning, sizes))
        for row, merging in made.relatedness.items():
            # The first task with itself and with every other one.
            pair = self._merging("relatedness", row, merging, PAIR)
            related = related.plus(pair.times(tasks))
        ranges = (trained.times(tasks), merged, pruned, related)
        return {stage: one.times(seeds) for stage, one in zip(STAGES, ranges, strict=True)}

    def _merging(self, section: str, row: str, merging: Merging, tasks: int) -> Range:
        merger, options = MERGERS.get(merging.method), merging.options
        where = f"experiments.{self.name}.{section}.{row}"
        check_options(where, merger, options, GIVEN_TO_MERGER)
        default = UNTRAINED if merging.method == "zipit" else RETRAIN
        settings = _schedule_option(merger, options, "retrain", default)
        if settings is None:
            return Range()
        sizes = merged_sizes(merging.method, options, self.architecture, tasks)
        if merging.method in ZIPPERS:
            # Layers not zipped yet still stand side by side while those before are retrained.
            one, apart = single(self.architecture), side_by_side(self.architecture, tasks)
            sizes = Sizes(sizes.low, _mixed(max(sizes.high.macs, apart.macs), one, tasks))
        rounds = retrainings(merging.method, options, self.architecture)
        return self._training(sizes, settings, f"{where}.retrain").times(rounds)

    def _pruning(self, row: str, pruning: Pruning, sizes: Sizes) -> Range:
        pruner, options = PRUNERS.get(pruning.method), pruning.options
        where = f"experiments.{self.name}.pruning.{row}"
        check_options(where, pruner, options, GIVEN_TO_PRUNER)
        once = Range()
        for option, default in (("penalty", PENALTY), ("fine_tune", FINE_TUNE)):
            settings = _schedule_option(pruner, options, option, default)
            if settings is not None:
                once = once.plus(self._training(sizes, settings, f"{where}.{option}"))
        return once.times(len(pruning.strengths))

    def _training(self, sizes: Sizes, settings: Settings, where: str) -> Range:
        schedule: Schedule = schedule_from(settings, where)
        return Range(*(training(size, schedule, self.images, self.machine) for size in sizes))


def plan_of(config: Config, name: str, data: DataSize, machine: Machine) -> Plan | None:
    """Return the plan of an experiment; None if the size of its data is unknown.

    Raises:
        ConfigError: for an unknown architecture or option.
        ShapeError: if the images are too small for the architecture.
    """
    made = config.experiment(name)
    make = ARCHITECTURES.get(made.architecture)
    check_options(f"experiments.{name}.network", make, made.network, GIVEN_TO_ARCHITECTURE)
    if data.input_shape is None or data.training_images is None:
        return None
    architecture = build_architecture(made.architecture, data.input_shape, **made.network)
    return Plan(config, name, architecture, data.training_images, machine)


def merged_sizes(method: str, options: Settings, architecture: Architecture, tasks: int) -> Sizes:
    """Return the smallest and the largest network that a merger makes of single-task networks.

    Of a merger that is not of this package it is only supposed that it zips all at best and
    shares everything unzipped at worst.
    """
    one, apart = single(architecture), side_by_side(architecture, tasks)
    joined = all_shared(architecture, tasks)
    match method:
        case "none":
            return Sizes(apart, apart)
        case "all_shared":
            return Sizes(joined, joined)
        case "zipit":
            return Sizes(one, one)
        case "mtz" if options.get("shared") is None:
            return Sizes(one, one)
        case "mtz" | "pam_zip":
            return Sizes(one, _mixed(apart.macs, one, tasks))
        case "pam" | "random":
            return Sizes(Size(apart.macs, one.operations), _mixed(joined.macs, one, tasks))
    return Sizes(one, _mixed(joined.macs, one, tasks))


def _mixed(macs: int, one: Size, tasks: int) -> Size:
    """Return the size of a network with a group of every task alone, and the shared one."""
    return Size(macs, (tasks + 1) * one.operations)


def retrainings(method: str, options: Settings, architecture: Architecture) -> int:
    """Return how many times a merger retrains with its schedule."""
    if method in ZIPPERS:
        return len(zip_steps(architecture))
    if options.get("layerwise"):
        return len(architecture.hidden_layers)
    return 1


def _schedule_option(
    plugin: Callable[..., Any], options: Settings, option: str, default: Settings
) -> Settings | None:
    """Return the schedule that a plug-in trains with; None if it has no such option."""
    if option not in inspect.signature(plugin).parameters:
        return None
    given = options.get(option)
    return default if given is None else given
