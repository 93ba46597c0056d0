"""What training will take, foreseen from the configuration alone: no data, no weights.

How much a merger shares decides what its network costs, and is known only once it has merged. So
every estimate has two ends: the cheapest network that the merger may make, and the dearest. Numbers
of both are arrays (2,), and are added and multiplied like one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pam.config import Config, Experiment, Merging, Pruning
from pam.config.loading import PAIR, training_images
from pam.cost.counting import links
from pam.merging import MERGERS, Forecast
from pam.networks import Architecture, Gate, Widths
from pam.networks import architecture as build_architecture
from pam.pruning import PRUNERS
from pam.pruning.progressive import FINE_TUNE
from pam.runs.cells import cells_of
from pam.source.signatures import signature_of
from pam.training import Schedule, schedule_from

STAGES = ("train", "merge", "prune", "relate")
"""The stages that train; the training of a trunk counts among the first."""
FORWARD_AND_BACKWARD = 3
"""Forward passes that a step of training is worth: the backward pass takes two."""
FLOPS_PER_MAC = 2
PATH_REDUCTION = 10.0
"""How many times cheaper than the first the last network of a path is."""
PATH_GROWTH = 3.0
"""How many times the first strength the last one is at least, of pruners whose strengths grow."""
PATH_END = 20.0
"""The least strength at which such a path ends."""

Settings = Mapping[str, Any]
Ends = float | NDArray[np.float64]
"""A number, or the two ends (2,) of what it may be."""


@dataclass(frozen=True)
class Machine:
    """How fast one job computes.

    Attributes:
        flops_per_second: sustained in training.
        launch_seconds: time of an operation of a training step beside its arithmetic: for its
            forward and backward pass and its share of the optimiser's.
        job_seconds: time to start a job and to read its inputs.
    """

    flops_per_second: float
    launch_seconds: float
    job_seconds: float = 0.0


@dataclass(frozen=True)
class Size:
    """A network, as far as the time of a training step depends on it.

    Attributes:
        macs: multiply-accumulates of one image, forward; the output layers are left out.
        operations: nodes of the architecture that compute, once per group of a layer.
    """

    macs: Ends
    operations: Ends


@dataclass(frozen=True)
class Work:
    """What some training takes.

    Attributes:
        flops: additions and multiplications, forward and backward.
        seconds: time of one machine.
    """

    flops: Ends = 0.0
    seconds: Ends = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.flops + other.flops, self.seconds + other.seconds)

    def __mul__(self, times: float) -> "Work":
        return Work(self.flops * times, self.seconds * times)


@dataclass(frozen=True)
class Plan:
    """What decides how long the jobs of one experiment train.

    Attributes:
        config: the run.
        name: of the experiment.
        input_shape: (channels, height, width) of its images.
        images: of its training part.
        machine: what it runs on.
    """

    config: Config
    name: str
    input_shape: tuple[int, int, int]
    images: int
    machine: Machine

    @property
    def experiment(self) -> Experiment:
        """The experiment of this name."""
        return self.config.experiment(self.name)

    @property
    def architecture(self) -> Architecture:
        """The operations of its networks.

        Raises:
            ConfigError: for an unknown architecture or option.
            ShapeError: if the images are too small for it.
        """
        made = self.experiment
        return build_architecture(made.architecture, self.input_shape, **made.network)

    def stages(self) -> dict[str, Work]:
        """Return stage -> training of all its jobs; see ``STAGES``.

        Raises:
            ConfigError: for an unknown method or option, or a schedule that cannot be.
            ShapeError: if the images are too small for the architecture.
        """
        made, seeds = self.experiment, len(self.config.seeds)
        size = single(self.architecture)
        trained = self._training(size, made.train.schedule)
        pretrained = self._pretraining(size)
        merged = pruned = related = Work()
        tasks = len(made.tasks)
        for name, merging in made.merging.items():
            merged += self._merging(merging, tasks)
            merged_size = between(*merged_sizes(self._forecast(merging), self.architecture, tasks))
            for pruning in made.pruning.values():
                if pruning.prunes(name):
                    pruned += self._pruning(pruning, merged_size)
        for merging in made.relatedness.values():
            # The first task with itself, in a network trained for that, and with every other one.
            related += trained + self._merging(merging, PAIR) * tasks
        works = (trained * tasks + pretrained, merged, pruned, related)
        return {
            stage: work * seeds + self._starts(stage)
            for stage, work in zip(STAGES, works, strict=True)
        }

    def _starts(self, stage: str) -> Work:
        """Return the start of all jobs of a stage."""
        jobs = sum(cell.experiment == self.name for cell in cells_of(self.config, stage))
        return Work(seconds=jobs * self.machine.job_seconds)

    def _pretraining(self, size: Size) -> Work:
        """Return the training of the trunk, on as many images as the tasks have if it is unsaid."""
        made = self.experiment
        if not made.trunk:
            return Work()
        images = training_images(made.dataset, made.trunk_data) or self.images
        return replace(self, images=images)._training(size, made.trunk.train.schedule)

    def _forecast(self, merging: Merging) -> Forecast:
        return forecast_of(merging.method, merging.options, self.architecture)

    def _merging(self, merging: Merging, tasks: int) -> Work:
        forecast, architecture = self._forecast(merging), self.architecture
        if forecast.option not in signature_of(MERGERS, merging.method).options:
            return Work()
        low, high = merged_sizes(forecast, architecture, tasks)
        if forecast.trainings > 1:
            # Layers not merged yet stand side by side while those before are retrained.
            apart = size_of("side_by_side", architecture, tasks).macs
            high = _mixed(max(high.macs, apart), architecture, tasks)
        schedule = merging.options.get(forecast.option) or forecast.schedule
        return self._training(between(low, high), schedule) * forecast.trainings

    def _pruning(self, pruning: Pruning, size: Size) -> Work:
        strengths, networks = expected_length(pruning)
        tuned = shrinking = size
        if pruning.path:
            # Sizes of networks taken fall geometrically. Half of the path nothing is pruned yet.
            share = (1 - 1 / PATH_REDUCTION) / log(PATH_REDUCTION)
            tuned = replace(size, macs=share * size.macs)
            shrinking = replace(size, macs=(1 + share) / 2 * size.macs)
        work = self._training(tuned, pruning.schedule or FINE_TUNE) * networks
        for option, said in (PRUNERS.forecast(pruning.method) or {}).items():
            default, often = said if isinstance(said, tuple) else (said, lambda once, _: once)
            settings = pruning.options.get(option) or default
            work += self._training(shrinking, settings) * often(strengths, networks)
        return work

    def _training(self, size: Size, settings: Settings) -> Work:
        return training(size, schedule_from(settings), self.images, self.machine)


def expected_length(pruning: Pruning) -> tuple[float, float]:
    """Return how many strengths a pruner is asked for, and how many networks are taken."""
    path = pruning.path
    if path is None:
        strengths = len(pruning.strengths or ())
        return strengths, strengths
    if PRUNERS.describe(pruning.method).ladder == "remaining":
        # Cost falls about as units do: the first to go are those that cost least.
        strengths = max(1, 1 + log((1 - path.start) * PATH_REDUCTION) / -log(path.step))
    else:
        strengths = 1 + log(max(PATH_GROWTH, PATH_END / path.start)) / log(path.step)
    networks = log(PATH_REDUCTION) / -log(path.cost_ratio)
    return strengths, min(strengths, networks, path.most)


def forecast_of(method: str, options: Settings, architecture: Architecture) -> Forecast:
    """Return what a merger will make and train; of one that does not say, any network."""
    forecast = MERGERS.forecast(method)
    return Forecast() if forecast is None else forecast(options, architecture)


def merged_sizes(forecast: Forecast, architecture: Architecture, tasks: int) -> tuple[Size, Size]:
    """Return the smallest and the largest network that a merger may make of single-task ones."""
    low = size_of(forecast.cheapest, architecture, tasks)
    high = size_of(forecast.dearest, architecture, tasks)
    if low == high:
        return low, high
    one = single(architecture)
    return Size(low.macs, one.operations), _mixed(high.macs, architecture, tasks)


def between(low: Size, high: Size) -> Size:
    """Return a size that is known to lie between two."""
    macs, operations = (low.macs, high.macs), (low.operations, high.operations)
    return Size(np.array(macs, float), np.array(operations, float))


def single(architecture: Architecture) -> Size:
    """Return the size of a single-task network, and of several zipped into one of its width."""
    operations = sum(not isinstance(node, Gate) for node in architecture.nodes)
    return Size(_macs(architecture, architecture.units), operations)


def size_of(kind: str, architecture: Architecture, tasks: int) -> Size:
    """Return the size of a network of some tasks; see :data:`pam.merging.registry.Size`."""
    one = single(architecture)
    match kind:
        case "zipped":
            return one
        case "side_by_side":
            return Size(tasks * one.macs, tasks * one.operations)
    units = {layer: tasks * width for layer, width in architecture.units.items()}
    return Size(_macs(architecture, units), one.operations)


def training(size: Size, schedule: Schedule, images: int, machine: Machine) -> Work:
    """Return what training takes, validation left out.

    Args:
        size: of the network.
        schedule: an incomplete last batch of an epoch is dropped.
        images: of the training part.
        machine: a step takes the time of its arithmetic and of its launches.
    """
    epochs = sum(stage.epochs for stage in schedule.stages)
    steps = epochs * (images // schedule.batch_size)
    flops = FLOPS_PER_MAC * FORWARD_AND_BACKWARD * size.macs * schedule.batch_size
    seconds = flops / machine.flops_per_second + size.operations * machine.launch_seconds
    return Work(flops, seconds) * steps


def _mixed(macs: Ends, architecture: Architecture, tasks: int) -> Size:
    """Return the size of a network with a group of every task alone, and the shared one."""
    return Size(macs, (tasks + 1) * single(architecture).operations)


def _macs(architecture: Architecture, units: Mapping[str, int]) -> int:
    """Return the operations of one group per hidden layer, of so many units."""
    group = frozenset(["all"])
    widths: Widths = {layer: {group: width} for layer, width in units.items()}
    widths[architecture.output] = {}
    return sum(link.macs for link in links(architecture, widths, group))
