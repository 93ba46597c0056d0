"""The one model of the configuration: every key with its meaning, unit, range and default."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pam.config.sections import (
    Init,
    Merging,
    Options,
    Pretrained,
    Pruning,
    RowName,
    Section,
    Train,
    Trunk,
    told_apart,
    unique,
)
from pam.names import TASK_NAME, check_known, hint
from pam.ranges import Count, Positive, Whole

COMPARED_DELTA = 1.0
"""The delta of the comparison table and the figures, in percentage points."""

DELTA_DECIMALS = 2
"""Of a delta in the CSV files, whose rows it tells apart."""


def _compared(deltas: list[float]) -> list[float]:
    if COMPARED_DELTA not in deltas:
        raise PydanticCustomError(
            "incomplete",
            "must contain 1.0, the accuracy at which the comparison table and the figures stand",
        )
    return deltas


MOST_THREADS = 1024
"""More than any machine has cores; torch starts them all at once."""


RESERVED = {"shared": "the group of all tasks", "images": "the input of every network"}
"""Words that are no name of a task, since they are that of something else."""


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        of = {"name": name, "thing": RESERVED[name]}
        raise PydanticCustomError("reserved", "'{name}' is the name of {thing}", of)
    return name


TaskName = Annotated[
    str, StringConstraints(pattern=f"^{TASK_NAME}$"), AfterValidator(_not_reserved)
]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Backend = Literal["torch", "compile", "onnxruntime"]
Deltas = Annotated[
    list[Positive], AfterValidator(told_apart(DELTA_DECIMALS)), AfterValidator(_compared)
]


class Latency(Section):
    """How the running time of every combination is measured."""

    batch_sizes: Annotated[list[Count], AfterValidator(unique)] = Field(
        default=[1, 64],
        description="Batch sizes to time; an empty list times nothing. Unit: images.",
    )
    rounds: Count = Field(
        10, description="Interleaved rounds, of which the median is taken. Unit: rounds."
    )
    warmup: Whole = Field(3, description="Rounds before, which do not count. Unit: rounds.")
    backends: Annotated[list[Backend], AfterValidator(unique)] = Field(
        default=["torch"],
        min_length=1,
        description="What runs the networks: torch, call by call; compile, torch.compile, which "
        "needs a C++ compiler and takes seconds per combination and batch size; onnxruntime, on "
        "the CPU. One that does not run on the machine is left out, with a note in the log.",
    )


class Conditions(Section):
    """What is looked into beyond accuracy and cost: why merging before pruning needs regrouping."""

    layers: Annotated[list[str], AfterValidator(unique)] = Field(
        default=[], description="Hidden layers to look into, as the architecture names them."
    )
    samples: int = Field(
        512,
        ge=2,
        description="Training images that information and correlations are estimated from, all "
        "if there are fewer. Unit: images.",
    )
    exclusivity: Annotated[list[RowName], AfterValidator(unique)] = Field(
        default=[],
        description="Merging rows whose pruned networks lose their shared units one after the "
        "other, those that only one task needs first; crossed with every pruning.",
    )
    redundancy: Annotated[list[RowName], AfterValidator(unique)] = Field(
        default=[],
        description="Merging rows whose tasks' exclusive units are correlated with one another, "
        "before and after pruning; crossed with every pruning.",
    )

    def asked_of(self, merging: str) -> dict[str, Any]:
        """Return what is asked of the pruned networks of a merging row; empty if nothing is."""
        asked = {kind: merging in getattr(self, kind) for kind in ("exclusivity", "redundancy")}
        settings = {"layers": self.layers, "samples": self.samples}
        return settings | asked if any(asked.values()) else {}

    @model_validator(mode="after")
    def _layers_are_named(self) -> Self:
        if (self.exclusivity or self.redundancy) and not self.layers:
            raise PydanticCustomError("incomplete", "'layers' must name at least 1 hidden layer")
        return self


class Experiment(Section):
    """One data set and architecture, every merging crossed with every pruning."""

    dataset: str = Field(description="Registered name of the data set, e.g. digits.")
    data: Options = Field(
        default={}, description="Options of the data set, which the data set checks."
    )
    tasks: Annotated[list[TaskName], AfterValidator(unique)] = Field(
        default=["A", "B"],
        min_length=1,
        description="Names of the tasks, as the data set has them.",
    )
    architecture: str = Field(description="Registered name of the architecture, e.g. lenet5.")
    network: Options = Field(
        default={}, description="Options of the architecture, which the architecture checks."
    )
    train: Train = Field(description="How the single-task networks are trained.")
    init: Init = Field(
        "independent",
        description="What single-task networks start from: independent, random weights of their "
        "own; common, the same random weights for all tasks of a seed; or `pretrained: {data: ..., "
        "train: ...}`, the hidden layers of one network that is trained first. For ImageNet "
        "weights see `train.pretrained`.",
    )
    merging: dict[RowName, Merging] = Field(
        description="Mergers to compare: row name -> options of the merger. Empty, as `pruning` "
        "then is, in an experiment on relatedness only."
    )
    pruning: dict[RowName, Pruning] = Field(
        description="Pruners to compare: row name -> strengths and options. Empty if `merging` is."
    )
    relatedness: dict[RowName, Merging] = Field(
        default={},
        description="Mergers that merge the first task with itself and with every other task, to "
        "count what they share: row name -> options of the merger, which need no retraining "
        "(`retrain: {stages: []}`).",
    )
    conditions: Conditions = Field(
        default=Conditions(),
        description="Which units of pruned networks are in fact exclusive or redundant, and in "
        "which layers that is looked into.",
    )
    latency: Latency = Field(
        default=Latency(), description="How the running time of every combination is measured."
    )

    @field_validator("merging", "pruning", "relatedness", mode="before")
    @classmethod
    def _method_is_row_name(cls, rows: Any) -> Any:
        if not isinstance(rows, dict):
            return rows
        return {
            name: {"method": name, **row} if isinstance(row, dict) else row
            for name, row in rows.items()
        }

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        for rows, others in (("merging", "pruning"), ("pruning", "merging")):
            if not getattr(self, rows) and (getattr(self, others) or not self.relatedness):
                raise PydanticCustomError(
                    "incomplete",
                    "'{rows}' needs at least 1 entry, unless '{others}' is empty too and "
                    "'relatedness' is not",
                    {"rows": rows, "others": others},
                )
        return self

    @model_validator(mode="after")
    def _named_rows_are_there(self) -> Self:
        mergings: dict[str, Iterable[str]] = {
            "conditions.exclusivity": self.conditions.exclusivity,
            "conditions.redundancy": self.conditions.redundancy,
            **{f"pruning.{row}.mergings": one.mergings or () for row, one in self.pruning.items()},
        }
        prunings = {
            f"pruning.{row}.beside": [one.beside] for row, one in self.pruning.items() if one.beside
        }
        for kind, named in {"merging": mergings, "pruning": prunings}.items():
            rows = getattr(self, kind)
            for key, name in ((key, name) for key, names in named.items() for name in names):
                if name not in rows:
                    raise PydanticCustomError(
                        "unknown_key",
                        "{key} names the unknown {kind} row '{name}'; {hint}",
                        {"key": key, "kind": kind, "name": name, "hint": hint(name, rows)},
                    )
        return self

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.init != "independent" and self.train.pretrained:
            raise PydanticCustomError(
                "conflict", "'init' and 'train.pretrained' are two answers; leave one of them out"
            )
        return self

    @property
    def trunk(self) -> Trunk | None:
        """The network that all tasks start from, if one is trained first."""
        return self.init.pretrained if isinstance(self.init, Pretrained) else None

    @property
    def trunk_data(self) -> Options:
        """The options of the trunk's data set, and of the experiment's where there is none."""
        return {**self.data, **(self.trunk.data if self.trunk else {})}

    def row(self, section: str, name: str) -> Merging | Pruning:
        """Return a row of ``merging``, ``pruning`` or ``relatedness``.

        Raises:
            ConfigError: if there is none of this name.
        """
        rows = getattr(self, section)
        check_known(section, name, rows)
        return rows[name]


class Config(Section):
    """A whole run: seeds, machine, and the experiments to compare."""

    seeds: Annotated[list[Seed], AfterValidator(unique)] = Field(
        min_length=1,
        description="Repetitions; each seed has its own initial weights and order of images. "
        "Unit: none.",
    )
    threads: int = Field(
        1,
        ge=1,
        le=MOST_THREADS,
        description="Threads of each job's arithmetic; numeric, so part of every row. "
        "Unit: threads.",
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        "cpu", description="Where the arithmetic runs; auto takes cuda where there is one."
    )
    deltas: Deltas = Field(
        default=[1.0, 0.5, 2.0],
        min_length=1,
        description="Accuracy below the single-task networks at which costs are compared; 1.0, "
        "that of the comparison table and the figures, is one of them. Unit: percentage points.",
    )
    requests: dict[str, Positive] = Field(
        default={},
        description="How likely a request for a combination of tasks is, relative to the others, "
        'such as `{A: 3, "A&B": 1}`; those that are not named are never asked for. By default, and '
        "in experiments that have none of them, all are equally likely. Unit: none.",
    )
    experiments: dict[RowName, Experiment] = Field(
        min_length=1, description="The experiments: name -> data set, architecture, methods."
    )

    @model_validator(mode="after")
    def _requests_are_combinations(self) -> Self:
        every = [experiment.tasks for experiment in self.experiments.values()]
        for name in self.requests:
            asked = name.split("&")
            if not any([task for task in tasks if task in asked] == asked for tasks in every):
                raise PydanticCustomError(
                    "unknown_key",
                    "requests names '{name}'; it must be tasks of an experiment, in its order, "
                    "joined by '&'",
                    {"name": name},
                )
        if not math.isfinite(sum(self.requests.values())):
            raise PydanticCustomError(
                "too_large", "requests add up to more than a number can hold; give smaller ones"
            )
        return self

    @property
    def beside(self) -> dict[str, str]:
        """Experiment and row of ``pruning`` -> the row whose baselines it is compared with."""
        return rows_beside(self.model_dump())

    def experiment(self, name: str) -> Experiment:
        """Return an experiment.

        Raises:
            ConfigError: if there is none of this name.
        """
        check_known("experiment", name, self.experiments)
        return self.experiments[name]

    def of_seeds(self, seeds: Collection[int]) -> Self:
        """Return the configuration with some of its seeds, in its own order.

        Raises:
            ConfigError: if it does not have one of them.
        """
        for seed in seeds:
            check_known("seed", str(seed), map(str, self.seeds))
        return self.model_copy(update={"seeds": [one for one in self.seeds if one in seeds]})


def rows_beside(config: Mapping[str, Any]) -> dict[str, str]:
    """Return :attr:`Config.beside` of a configuration as a manifest has it."""
    return {
        f"{name}.{row}": options["beside"]
        for name, section in config.get("experiments", {}).items()
        for row, options in section.get("pruning", {}).items()
        if options.get("beside")
    }
