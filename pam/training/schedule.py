"""How long and how fast to train: stages of epochs at one learning rate each."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from pam.errors import ConfigError


@dataclass(frozen=True)
class Stage:
    """``epochs`` passes over the training part at one learning rate."""

    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Schedule:
    """Stages in order; the momentum starts afresh in every stage (He et al., KDD 2021)."""

    stages: tuple[Stage, ...]
    batch_size: int = 32
    momentum: float = 0.9


def schedule_from(settings: Mapping[str, Any], where: str = "schedule") -> Schedule:
    """Return the schedule of ``{"stages": [{"epochs": 20, "learning_rate": 0.01}, ...], ...}``.

    Args:
        settings: plain values, as they stand in a configuration; ``batch_size`` and ``momentum``
            may be left out.
        where: what an error calls it.

    Raises:
        ConfigError: for unknown keys and values outside their range.
    """
    if not isinstance(settings, Mapping) or not isinstance(settings.get("stages"), list | tuple):
        raise ConfigError(f"{where}: a schedule is a table with a list of 'stages'")
    _refuse_others(settings, ("stages", "batch_size", "momentum"), where)
    stages = tuple(_stage(stage, where) for stage in settings["stages"])
    batch_size = _number(settings.get("batch_size", 32), f"{where}: batch_size")
    momentum = _number(settings.get("momentum", 0.9), f"{where}: momentum")
    if batch_size < 1 or batch_size % 1 or not 0 < momentum < 1:
        raise ConfigError(
            f"{where}: batch_size must be a whole number >= 1 and momentum in (0, 1), "
            f"not {batch_size:g} and {momentum:g}"
        )
    return Schedule(stages, int(batch_size), momentum)


def _stage(settings: Any, where: str) -> Stage:
    keys = ("epochs", "learning_rate")
    if not isinstance(settings, Mapping) or any(key not in settings for key in keys):
        raise ConfigError(f"{where}: a stage has 'epochs' and 'learning_rate', not {settings!r}")
    _refuse_others(settings, keys, f"{where}: a stage")
    epochs = _number(settings["epochs"], f"{where}: epochs")
    rate = _number(settings["learning_rate"], f"{where}: learning_rate")
    if epochs < 0 or epochs % 1 or rate <= 0:
        raise ConfigError(
            f"{where}: epochs must be a whole number >= 0 and learning_rate > 0, "
            f"not {epochs:g} and {rate:g}"
        )
    return Stage(int(epochs), rate)


def _refuse_others(settings: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    unknown = sorted(map(str, set(settings) - set(keys)))
    if unknown:
        raise ConfigError(f"{where}: unknown key '{unknown[0]}'")


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = nan
    if not isfinite(number):
        raise ConfigError(f"{where} must be a finite number, not {value!r}")
    return number
