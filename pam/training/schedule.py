"""How long and how fast to train: stages of epochs at one learning rate each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from pam.errors import ConfigError
from pam.ranges import ScheduleSettings
from pam.source.options import check_value

_SETTINGS = TypeAdapter(ScheduleSettings)


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
    try:
        check_value("", _SETTINGS, settings)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    stages = (Stage(one["epochs"], float(one["learning_rate"])) for one in settings["stages"])
    more = {key: value for key, value in settings.items() if key != "stages"}
    return Schedule(tuple(stages), **more)
