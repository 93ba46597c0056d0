"""Types that say which values an option may have.

A method writes them beside its options: ``alpha: Share = 0.4``. They are checked wherever options
come from, a configuration, the command line or Python, and read from the source without running
it. Other ranges are written out: ``Annotated[int, Field(ge=3)]``.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Required

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from typing_extensions import TypedDict

from pam.names import hint

__all__ = [
    "BatchSize",
    "BelowOne",
    "Count",
    "EveryLayer",
    "Finite",
    "Fraction",
    "LayerName",
    "NotNegative",
    "Positive",
    "PruneGroups",
    "Samples",
    "ScheduleSettings",
    "Share",
    "ShareUnless",
    "StageSettings",
    "Whole",
]

IMAGES = "training images"
LAYERS = "hidden layers"
OPTIONS = "options"
"""What the check of an option may look at: how many training images there are and what the hidden
layers are called, as far as that is known, and the options beside it with their defaults."""


def _within_training_part(value: int, info: ValidationInfo) -> int:
    images = (info.context or {}).get(IMAGES)
    if images is not None and value > images:
        raise PydanticCustomError(
            "range", "must be at most {images}, the images of the training part", {"images": images}
        )
    return value


def _known_layer(name: str, info: ValidationInfo) -> str:
    layers = (info.context or {}).get(LAYERS)
    if layers and name not in layers:
        known = hint(name, layers)
        raise PydanticCustomError("unknown_key", "unknown layer; {hint}", {"hint": known})
    return name


def _names_every_layer(table: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    missing = [name for name in (info.context or {}).get(LAYERS) or () if name not in table]
    if missing:
        raise PydanticCustomError(
            "incomplete",
            "must name every hidden layer; '{layer}' is missing",
            {"layer": missing[0]},
        )
    return table


@dataclass(frozen=True)
class ShareUnless:
    """A check that numbers are at most 1 unless the other ``option`` is ``value``."""

    option: str
    value: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "description": self._range}

    @property
    def _range(self) -> str:
        return f"in [0, 1] unless {self.option} is '{self.value}'"

    def _check(self, number: float, info: ValidationInfo) -> float:
        others = (info.context or {}).get(OPTIONS, {})
        if number > 1 and others.get(self.option) != self.value:
            raise PydanticCustomError("range", "must be {range}", {"range": self._range})
        return number


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
_ALL = "at most the images of the training part"
BatchSize = Annotated[int, Field(ge=1, description=_ALL), AfterValidator(_within_training_part)]
"""Images per step, no more than the training part has."""
Samples = Annotated[int, Field(ge=2, description=_ALL), AfterValidator(_within_training_part)]
"""Training images to look at, no more than there are; a default is capped where it is used."""
LayerName = Annotated[str, Field(description="a hidden layer"), AfterValidator(_known_layer)]
"""A hidden layer as the architecture names it."""
EveryLayer = AfterValidator(_names_every_layer)
"""Of a table of hidden layers: that none is missing."""
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
