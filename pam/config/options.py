"""What a configuration asks of plug-ins, checked before anything runs and without importing any."""

from typing import Any

from pydantic import TypeAdapter

from pam.config.model import Config
from pam.config.rows import Merging, Pruning
from pam.errors import ConfigError
from pam.ranges import IMAGES, LAYERS, BatchSize, LayerName
from pam.registry import ARCHITECTURE, DATASET, MERGER, PRUNER
from pam.source.options import check_options, check_value
from pam.source.signatures import describe, signature

PAIR = 2
"""Tasks that are merged in an experiment on relatedness."""


def check_plugins(config: Config) -> None:
    """Check the plug-ins a configuration names, their options, and what has to fit the data.

    Raises:
        ConfigError: for the first unknown data set, architecture, merger or pruner; for an option
            that it does not have, has to have, or that is of another type or out of its range;
            for a layer that the architecture does not have; for tasks that the data set does not
            have or that are too few for a merger; for more images in a batch or a sample than
            there are.
    """
    for name in config.experiments:
        check_experiment(config, name)


def check_experiment(config: Config, name: str) -> None:
    """Check one experiment; see :func:`check_plugins`.

    Raises:
        ConfigError: as :func:`check_plugins`.
    """
    made, at = config.experiment(name), f"experiments.{name}"
    check_options(DATASET, made.dataset, made.data, f"{at}.data")
    check_options(ARCHITECTURE, made.architecture, made.network, f"{at}.network")
    images = training_images(made.dataset, made.data)
    check_tasks(made.tasks, known_tasks(made.dataset, made.data), f"{at}.tasks")
    layers = describe(ARCHITECTURE, made.architecture).layers.split()
    context = {IMAGES: images, LAYERS: layers}
    check_value(f"{at}.train.batch_size", _BATCH_SIZE, made.train.batch_size, context)
    check_value(f"{at}.conditions.layers", _LAYERS, made.conditions.layers, context)
    if made.trunk:
        where = f"{at}.init.pretrained"
        check_options(DATASET, made.dataset, made.trunk_data, f"{where}.data")
        images_seen = {IMAGES: training_images(made.dataset, made.trunk_data)}
        size = made.trunk.train.batch_size
        check_value(f"{where}.train.batch_size", _BATCH_SIZE, size, images_seen)
    for row, merging in made.merging.items():
        _check_merging(f"{at}.merging.{row}", merging, len(made.tasks), images, layers)
    for row, merging in made.relatedness.items():
        _check_merging(f"{at}.relatedness.{row}", merging, PAIR, images, layers)
    for row, pruning in made.pruning.items():
        _check_pruning(f"{at}.pruning.{row}", pruning, context)


def training_images(dataset: str, options: dict[str, object]) -> int | None:
    """Return how many training images a data set has; None if its options do not tell.

    Raises:
        ConfigError: for an unknown data set.
    """
    option = describe(DATASET, dataset).train_size
    if not option:
        return None
    default = signature(DATASET, dataset).options[option].default_value
    images = options.get(option, default)
    return images if isinstance(images, int) else None


def known_tasks(dataset: str, options: dict[str, object]) -> list[str]:
    """Return the tasks of a data set; none if only its files tell.

    Raises:
        ConfigError: for an unknown data set.
    """
    tasks, about = options.get("tasks"), describe(DATASET, dataset)
    named = [some for option, some in about.tasks_with.items() if options.get(option) is not None]
    return list(tasks if isinstance(tasks, dict) else named[0] if named else about.tasks)


def check_tasks(tasks: list[str], known: list[str], where: str) -> None:
    """Check that an experiment names exactly the tasks of its data set, if they are known.

    Raises:
        ConfigError: if it has others, or another order.
    """
    if known and tasks != known:
        raise ConfigError(
            f"{where}: the experiment names the tasks {', '.join(tasks)}, "
            f"but the data set has {', '.join(known)}"
        )


def _check_pruning(where: str, pruning: Pruning, context: dict[str, Any]) -> None:
    path = pruning.path
    strengths = [path.start] if path else pruning.strengths
    options = {"strengths": strengths, **pruning.options}
    try:
        check_options(PRUNER, pruning.method, options, where, context[IMAGES], context[LAYERS])
    except ConfigError as error:
        key = "path.start" if path else "strengths[0]"
        raise ConfigError(str(error).replace("strengths[0]", key)) from None
    if path:
        ladder = describe(PRUNER, pruning.method).ladder
        if not ladder:
            raise ConfigError(
                f"{where}.path: '{pruning.method}' does not say how its strengths grow; "
                "give a list of strengths"
            )
        if (path.step > 1) != (ladder == "growth") or path.step == 1:
            side = "greater" if ladder == "growth" else "less"
            raise ConfigError(f"{where}.path.step: must be {side} than 1, not {path.step:g}")
    if pruning.fine_tune:
        size = pruning.fine_tune.batch_size
        check_value(f"{where}.fine_tune.batch_size", _BATCH_SIZE, size, context)


def _check_merging(
    where: str, merging: Merging, tasks: int, images: int | None, layers: list[str]
) -> None:
    check_options(MERGER, merging.method, merging.options, where, images, layers)
    least = describe(MERGER, merging.method).least_tasks
    if tasks < least:
        raise ConfigError(f"{where}: '{merging.method}' merges at least {least} tasks, not {tasks}")


_BATCH_SIZE = TypeAdapter(BatchSize)
_LAYERS = TypeAdapter(list[LayerName])
