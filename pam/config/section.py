"""What all parts of the configuration have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pam.names import hint

BatchSize = Annotated[int, Field(ge=1)]
Options = dict[str, Any]


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
