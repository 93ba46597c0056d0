"""The rows of the comparison: ways to merge networks, and to prune what they make."""

from difflib import get_close_matches
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pam.config.training import BatchSize, Options, PositiveNumber, RowName, Section, Stage, unique
from pam.ranges import Fraction


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
        return self.model_dump(exclude={"mergings"})


class Merging(_Row):
    """A way to merge the single-task networks, with options that the merger checks."""

    repeat: int = Field(
        0,
        ge=0,
        description="Which repetition this is of a row with the same method and options: it is "
        "pruned with a seed of its own, so that the two show what chance alone does. "
        "Unit: none.",
    )


class FineTune(Section):
    """How a network is trained after pruning: as single-task networks are, on all its tasks."""

    stages: list[Stage] = Field(
        description="The training stages, run one after the other; an empty list trains nothing."
    )
    batch_size: BatchSize = Field(32, description="Images per step. Unit: images.")
    momentum: Fraction = Field(0.9, description="Nesterov momentum. Unit: none.")


class StrengthPath(Section):
    """Networks at equal ratios of cost, down to where they are of no use any more."""

    start: PositiveNumber = Field(
        description="The first strength, so gentle that it removes next to nothing. Unit: the "
        "pruner's own."
    )
    step: PositiveNumber = Field(
        description="From strength to strength: of a pruner whose strengths are fractions removed "
        "(taylor) what remains is so much, below 1, of what remained; of others (vibnet) the "
        "strength is so many times, above 1, the one before. Unit: none."
    )
    cost_ratio: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.85,
        description="A network is kept, and fine-tuned, if it costs at most so much of the last "
        "one kept. Unit: none.",
    )
    stop_at: PositiveNumber = Field(
        2.0,
        description="The path ends when the mean drop of validation accuracy is beyond so many "
        "times the largest of `deltas` on two networks in a row. Unit: none.",
    )
    most: int = Field(
        40,
        ge=1,
        description="Networks of a path, whatever they are like; it ends as well after 40 "
        "strengths in a row at which none is kept. Unit: networks.",
    )


class Pruning(_Row):
    """A way to prune a merged network, with options that the pruner checks."""

    strengths: Annotated[list[PositiveNumber], AfterValidator(_increasing)] | None = Field(
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
