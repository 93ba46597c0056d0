"""From a YAML file to a checked configuration; plug-ins are asked without importing any."""

import os
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pam.config.profile import Config
from pam.config.sections import Merging, Pruning
from pam.errors import ConfigError
from pam.names import hint
from pam.ranges import IMAGES, LAYERS, BatchSize, LayerName
from pam.registry import ARCHITECTURE, DATASET, MERGER, PRUNER
from pam.source.options import check_options, check_value, problem
from pam.source.signatures import describe, signature
from pam.text_files import dump_yaml, parse_yaml, read_yaml, shown

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
    """Check one experiment; see :func:`check_plugins`."""
    made, at = config.experiment(name), f"experiments.{name}"
    check_options(DATASET, made.dataset, made.data, f"{at}.data")
    check_options(ARCHITECTURE, made.architecture, made.network, f"{at}.network")
    known = known_tasks(made.dataset, made.data)
    if known and made.tasks != known:
        raise ConfigError(
            f"{at}.tasks: the experiment names the tasks {', '.join(made.tasks)}, "
            f"but the data set has {', '.join(known)}"
        )
    context = {
        IMAGES: training_images(made.dataset, made.data),
        LAYERS: describe(ARCHITECTURE, made.architecture).layers.split(),
    }
    check_value(f"{at}.train.batch_size", _BATCH_SIZE, made.train.batch_size, context)
    check_value(f"{at}.conditions.layers", _LAYERS, made.conditions.layers, context)
    if made.trunk:
        where = f"{at}.init.pretrained"
        check_options(DATASET, made.dataset, made.trunk_data, f"{where}.data")
        images_seen = {IMAGES: training_images(made.dataset, made.trunk_data)}
        size = made.trunk.train.batch_size
        check_value(f"{where}.train.batch_size", _BATCH_SIZE, size, images_seen)
    for row, merging in made.merging.items():
        _check_merging(f"{at}.merging.{row}", merging, len(made.tasks), context)
    for row, merging in made.relatedness.items():
        _check_merging(f"{at}.relatedness.{row}", merging, PAIR, context)
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
    """Return the tasks of a data set; none if only its files tell."""
    tasks, about = options.get("tasks"), describe(DATASET, dataset)
    named = [some for option, some in about.tasks_with.items() if options.get(option) is not None]
    return list(tasks if isinstance(tasks, dict) else named[0] if named else about.tasks)


def _check_pruning(where: str, pruning: Pruning, context: dict[str, Any]) -> None:
    path = pruning.path
    strengths = [path.start] if path else pruning.strengths
    options = {"strengths": strengths, **pruning.options}
    try:
        check_options(PRUNER, pruning.method, options, where, context)
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


def _check_merging(where: str, merging: Merging, tasks: int, context: dict[str, Any]) -> None:
    check_options(MERGER, merging.method, merging.options, where, context)
    least = describe(MERGER, merging.method).least_tasks
    if tasks < least:
        raise ConfigError(f"{where}: '{merging.method}' merges at least {least} tasks, not {tasks}")


_SEED_DIGITS = 19
_BATCH_SIZE = TypeAdapter(BatchSize)
_LAYERS = TypeAdapter(list[LayerName])


def load_config(path: str | Path, seeds: str | None = None) -> Config:
    """Read and check a configuration file.

    Args:
        path: the file.
        seeds: those of its seeds that are meant, as ``0 1`` or ``0,1``; all for None.

    Raises:
        ConfigError: one sentence that names the file, the line or key, and what is right.
    """
    path = Path(path)
    if not os.path.lexists(path):  # Of whatever length, unlike Path.exists.
        raise ConfigError(_missing(path))
    config = _checked(read_yaml(path), str(path))
    if seeds is None:
        return config
    words = seeds.replace(",", " ").split()
    if not words or not all(word.isdecimal() and len(word) <= _SEED_DIGITS for word in words):
        raise ConfigError(
            f"seeds are whole numbers with spaces between, as '0 1', not {shown(seeds)}"
        )
    return config.of_seeds([int(word) for word in words])


def parse_config(text: str, source: str) -> Config:
    """Check the text of a configuration; ``source`` names it in errors.

    Raises:
        ConfigError: one sentence that names the source, the line or key, and what is right.
    """
    return _checked(parse_yaml(text, source), source)


def dump_config(config: Config) -> str:
    """Return a configuration as YAML, defaults included, as :func:`parse_config` reads it."""
    return dump_yaml(config.model_dump())


def _checked(value: Any, source: str) -> Config:
    if value is None:
        raise ConfigError(f"{source} is empty")
    try:
        return Config.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{source}: {' '.join(problem(error).split())}") from None


def _missing(path: Path) -> str:
    beside = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    return f"{path} does not exist" + (f"; {hint(path.name, beside)}" if beside else "")
