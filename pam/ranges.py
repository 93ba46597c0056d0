"""Types that say which values an option may have.

A method writes them beside its options: ``alpha: Share = 0.4``. They are checked wherever options
come from, a configuration, the command line or Python, and read from the source without running
it. Other ranges are written out: ``Annotated[int, Field(ge=3)]``.
"""

from typing import Annotated, Literal, Required

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

__all__ = [
    "BatchSize",
    "BelowOne",
    "Count",
    "Finite",
    "Fraction",
    "NotNegative",
    "Positive",
    "PruneGroups",
    "Samples",
    "ScheduleSettings",
    "Share",
    "StageSettings",
    "Whole",
    "share_unless",
]

IMAGES = "training images"
OPTIONS = "options"
"""What the check of an option may look at: how many training images there are, if that is known,
and the options beside it with their defaults."""


def _within_training_part(value: int, info: ValidationInfo) -> int:
    images = (info.context or {}).get(IMAGES)
    if images is not None and value > images:
        raise PydanticCustomError(
            "range", "must be at most {images}, the images of the training part", {"images": images}
        )
    return value


def share_unless(option: str, value: str) -> AfterValidator:
    """Return a check that numbers are at most 1 unless the other ``option`` is ``value``."""

    def check(number: float, info: ValidationInfo) -> float:
        others = (info.context or {}).get(OPTIONS, {})
        if number > 1 and others.get(option) != value:
            raise PydanticCustomError(
                "range",
                "must be in [0, 1] unless {option} is '{value}'",
                {"option": option, "value": value},
            )
        return number

    return AfterValidator(check)


Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
"""In [0, 1]."""
Fraction = Annotated[float, Field(gt=0, lt=1)]
"""In (0, 1)."""
BelowOne = Annotated[float, Field(ge=0, lt=1)]
"""In [0, 1)."""
BatchSize = Annotated[int, Field(ge=1), AfterValidator(_within_training_part)]
"""Images per step, no more than the training part has."""
Samples = Annotated[int, Field(ge=2), AfterValidator(_within_training_part)]
"""Training images to look at, no more than there are; a default is capped where it is used."""
PruneGroups = Literal["all", "shared"]
"""Groups whose units may go: ``"shared"`` spares those of one of several tasks."""


class StageSettings(TypedDict):
    """A part of a training with one learning rate."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    epochs: Whole
    learning_rate: Positive


class ScheduleSettings(TypedDict, total=False):
    """How long and how fast to train, as a configuration writes it."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    stages: Required[list[StageSettings]]
    batch_size: BatchSize
    momentum: Fraction


SCHEDULE_KEYS = (*ScheduleSettings.__annotations__, *StageSettings.__annotations__)
