"""How long and how fast to train: stages of epochs at one learning rate each."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
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
    unknown = set(settings) - {"stages", "batch_size", "momentum"}
    if unknown:
        raise ConfigError(f"{where}: unknown key '{sorted(unknown)[0]}'")
    try:
        stages = tuple(
            Stage(int(stage["epochs"]), float(stage["learning_rate"]))
            for stage in settings.get("stages", ())
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{where}: a stage has 'epochs' and 'learning_rate' ({error})") from error
    schedule = Schedule(
        stages, int(settings.get("batch_size", 32)), float(settings.get("momentum", 0.9))
    )
    for stage in stages:
        if stage.epochs < 0 or not isfinite(stage.learning_rate) or stage.learning_rate <= 0:
            raise ConfigError(f"{where}: epochs must be >= 0 and learning_rate > 0, not {stage}")
    if schedule.batch_size < 1 or not 0 < schedule.momentum < 1:
        raise ConfigError(f"{where}: batch_size must be >= 1 and momentum in (0, 1)")
    return schedule
