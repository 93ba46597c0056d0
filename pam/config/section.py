"""What all parts of the configuration have in common."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from pam.names import ROW_NAME, hint

BatchSize = Annotated[int, Field(ge=1)]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]
RowName = Annotated[str, StringConstraints(pattern=f"^{ROW_NAME}$")]
Options = dict[str, Any]
Item = TypeVar("Item")


def unique(items: list[Item]) -> list[Item]:
    """Return a list as it is, if nothing in it is there twice."""
    twice = [item for index, item in enumerate(items) if item in items[:index]]
    if twice:
        raise PydanticCustomError("twice", "{item} is listed twice", {"item": repr(twice[0])})
    return items


class Section(BaseModel):
    """A part of the file whose keys are all known: another key is an error with a hint."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and cls.model_config["extra"] == "forbid":
            for key in value:
                if key not in cls.model_fields:
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key '{key}'; {hint}",
                        {"key": str(key), "hint": hint(key, cls.model_fields)},
                    )
        return value
