"""The sections of an experiment: how networks are trained, and the rows that merge and prune."""

from collections.abc import Callable
from difflib import get_close_matches
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pam.names import ROW_NAME, hint
from pam.ranges import Count, Fraction, Positive, Whole

RowName = Annotated[str, StringConstraints(pattern=f"^{ROW_NAME}$")]
Options = dict[str, Any]
Item = TypeVar("Item")

STRENGTH_DECIMALS = 6
"""Of a strength in the CSV files, whose rows it tells apart."""


def unique(items: list[Item]) -> list[Item]:
    """Return a list as it is, if nothing in it is there twice."""
    twice = [item for index, item in enumerate(items) if item in items[:index]]
    if twice:
        raise PydanticCustomError("twice", "{item} is listed twice", {"item": repr(twice[0])})
    return items


def told_apart(decimals: int) -> Callable[[list[float]], list[float]]:
    """Return a check that numbers differ, and are not 0, with the decimals they are written with.

    Rows of CSV files could not be told apart otherwise, which shows when all work is done.
    """

    def check(numbers: list[float]) -> list[float]:
        written = [f"{number:.{decimals}f}" for number in numbers]
        for index, text in enumerate(written):
            said = {"number": f"{numbers[index]!r}", "decimals": decimals}
            if float(text) == 0:
                raise PydanticCustomError(
                    "order", "{number} is 0 with the {decimals} decimals it is written with", said
                )
            if text in written[:index]:
                raise PydanticCustomError(
                    "twice", "{number} is listed twice, as {decimals} decimals are written", said
                )
        return numbers

    return check


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

    epochs: Count = Field(description="Passes over the training part. Unit: epochs.")
    learning_rate: Positive = Field(
        description="Step size of stochastic gradient descent. Unit: none."
    )


class Train(Section):
    """How the single-task networks are trained: Nesterov SGD, mean squared error."""

    batch_size: Count = Field(32, description="Images per step. Unit: images.")
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


def _increasing(values: list[float]) -> list[float]:
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise PydanticCustomError("order", "values must increase from one to the next")
    return values


class _Row(Section):
    """A row of the comparison: a registered method and its options, which the method checks."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    method: str = Field(
        "", description="Registered name of the method. Default: the name of the row."
    )

    @property
    def options(self) -> Options:
        """Every other key of the row: keyword options of the method."""
        return dict(self.model_extra or {})

    @property
    def settings(self) -> dict[str, Any]:
        """All that a result of the row depends on."""
        return self.model_dump(exclude={"mergings", "beside"})


class Merging(_Row):
    """A way to merge the single-task networks, with options that the merger checks."""

    repeat: Whole = Field(
        0,
        description="Which repetition this is of a row with the same method and options: it is "
        "pruned with a seed of its own, so that the two show what chance alone does. "
        "Unit: none.",
    )


class FineTune(Section):
    """How a network is trained after pruning: as single-task networks are, on all its tasks."""

    stages: list[Stage] = Field(
        description="The training stages, run one after the other; an empty list trains nothing."
    )
    batch_size: Count = Field(32, description="Images per step. Unit: images.")
    momentum: Fraction = Field(0.9, description="Nesterov momentum. Unit: none.")


class StrengthPath(Section):
    """Networks at equal ratios of cost, down to where they are of no use any more."""

    start: Positive = Field(
        description="The first strength, so gentle that it removes next to nothing. Unit: the "
        "pruner's own."
    )
    step: Positive = Field(
        description="From strength to strength: of a pruner whose strengths are fractions removed "
        "(taylor) what remains is so much, below 1, of what remained; of others (vibnet) the "
        "strength is so many times, above 1, the one before. Unit: none."
    )
    cost_ratio: Fraction = Field(
        0.85,
        description="A network is kept, and fine-tuned, if it costs at most so much of the last "
        "one kept. Unit: none.",
    )
    stop_at: Positive = Field(
        2.0,
        description="The path ends when the mean drop of validation accuracy is beyond so many "
        "times the largest of `deltas` on two networks in a row. Unit: none.",
    )
    most: Count = Field(
        40,
        description="Networks of a path, whatever they are like; it ends as well after 40 "
        "strengths in a row at which none is kept. Unit: networks.",
    )

    @model_validator(mode="after")
    def _first_strengths_differ(self) -> Self:
        told_apart(STRENGTH_DECIMALS)([self.start, self.start * self.step][: 1 + (self.step > 1)])
        return self


class Pruning(_Row):
    """A way to prune a merged network, with options that the pruner checks."""

    strengths: (
        Annotated[
            list[Positive],
            AfterValidator(_increasing),
            AfterValidator(told_apart(STRENGTH_DECIMALS)),
        ]
        | None
    ) = Field(
        None,
        min_length=1,
        description="How hard to prune, weakest first; every one gives a network. "
        "Unit: the pruner's own, e.g. taylor: fraction of units removed.",
    )
    path: StrengthPath | None = Field(
        None,
        description="How to go from strength to strength, in the place of `strengths`; each part "
        "that shares nothing with the others goes its own way.",
    )
    mergings: Annotated[list[RowName], AfterValidator(unique)] | None = Field(
        None, min_length=1, description="The merging rows whose networks it prunes. Default: all."
    )
    beside: RowName | None = Field(
        None,
        description="The pruning row whose B1 and B2 its networks are compared with, such as that "
        "of the same pruner with other rates. Default: what its pruner stands beside "
        "(vibnet_readers: vibnet), else itself.",
    )
    fine_tune: FineTune | None = Field(
        None,
        description="How every network is trained after pruning. Default: one epoch at a learning "
        "rate of 0.01, one at 0.001.",
    )

    @property
    def schedule(self) -> dict[str, Any] | None:
        """How networks are fine-tuned; None for the default."""
        return self.fine_tune.model_dump() if self.fine_tune else None

    @model_validator(mode="after")
    def _strengths_or_path(self) -> Self:
        if (self.strengths is None) == (self.path is None):
            near = get_close_matches("strengths", self.options, n=1)
            said = f"; is it '{near[0]}'?" if near else ""
            raise PydanticCustomError(
                "incomplete", "needs either 'strengths' or 'path'{said}", {"said": said}
            )
        return self

    def prunes(self, merging: str) -> bool:
        """Tell whether it prunes the networks of a merging row."""
        return self.mergings is None or merging in self.mergings
