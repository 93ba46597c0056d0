"""What all sections of the configuration share, and how single-task networks are trained."""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
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


class Stage(Section):
    """A part of the training with one learning rate; the momentum starts from zero in each."""

    epochs: int = Field(ge=1, description="Passes over the training part. Unit: epochs.")
    learning_rate: float = Field(
        gt=0,
        allow_inf_nan=False,
        description="Step size of stochastic gradient descent. Unit: none.",
    )


class Train(Section):
    """How the single-task networks are trained: Nesterov SGD, mean squared error."""

    batch_size: BatchSize = Field(32, description="Images per step. Unit: images.")
    stages: list[Stage] = Field(
        min_length=1, description="The training stages, run one after the other."
    )
    pretrained: Literal["imagenet"] | None = Field(
        None,
        description="Start from torchvision's ImageNet weights, whose file must be on disk; "
        "for vgg16, resnet18 and resnet34 of width 1.",
    )

    @property
    def schedule(self) -> dict[str, Any]:
        """Stages and batch size."""
        return self.model_dump(exclude={"pretrained"})


class Trunk(Section):
    """A network that is trained first, on other images and labels, for all tasks to start from."""

    data: Options = Field(
        min_length=1,
        description="Options of the experiment's data set that are other ones here, so that "
        "the trunk sees none of its images: e.g. another `seed` or `half`, and other `tasks`.",
    )
    train: Train = Field(
        description="How the trunk is trained, on the labels of all tasks of that data."
    )

    @model_validator(mode="after")
    def _starts_at_random(self) -> Self:
        if self.train.pretrained:
            raise PydanticCustomError("conflict", "a trunk starts from random weights")
        return self


class Pretrained(Section):
    """All tasks of a seed start from the hidden layers of one trained network."""

    pretrained: Trunk = Field(description="The network that they start from.")

    def asked_of(self, merging: str) -> dict[str, Any]:
        """Return what is asked of the trunk, the same for every merging row."""
        return self.model_dump()


INITS = ("independent", "common")


def _init(value: Any) -> Any:
    """Check a way to start, so that what is wrong is said of what was meant."""
    if isinstance(value, dict):
        return Pretrained.model_validate(value)
    if not isinstance(value, Pretrained) and value not in INITS:
        raise PydanticCustomError(
            "unknown_key",
            "unknown start '{value}'; {hint}",
            {"value": str(value), "hint": hint(value, [*INITS, "{pretrained: ...}"])},
        )
    return value


Init = Annotated[Literal["independent", "common"] | Pretrained, BeforeValidator(_init)]
