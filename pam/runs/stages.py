"""The one table of stages: what every stage reads, depends on, runs and writes.

Cells, paths, slices of the configuration, hashes of code, commands, the workflow's inputs, the CSV
files a stage fills, and what is stale are all derived from :data:`STAGES`. A new stage is one row
here, one body in ``pam/stages/`` and one rule of the workflow.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from pam.errors import ConfigError
from pam.names import check_known


class Axis(NamedTuple):
    """What tells the cells of a stage apart, besides their experiment.

    Attributes:
        help: what it is, for the command line.
        section: section of an experiment that has a row per value; empty if there is none.
        package: where the methods of those rows are registered.
        column: the column of CSV files that holds it; by default called like the axis.
    """

    help: str
    section: str = ""
    package: str = ""
    column: str = ""


AXES = {
    "task": Axis("a task of the experiment"),
    "merging": Axis("a merging row of the experiment", "merging", "pam.merging"),
    "pruning": Axis("a pruning row of the experiment", "pruning", "pam.pruning"),
    "relatedness": Axis(
        "a relatedness row of the experiment", "relatedness", "pam.merging", "merging"
    ),
    "seed": Axis("a seed of the configuration"),
}


class Parent(NamedTuple):
    """What a stage reads of another stage.

    Attributes:
        flag: argument of the command that takes the files.
        stage: the stage that makes them.
    """

    flag: str
    stage: str


@dataclass(frozen=True)
class Stage:
    """One stage of the workflow.

    Attributes:
        help: what its command does.
        done: the participle, as in "not merged".
        folder: below the folder of the run.
        axes: keys of :data:`AXES`; None for a stage that takes the run as a whole.
        parents: what it reads; of a stage of the whole run, the stages whose records it reads.
        keys: sections of the experiment that decide its result beyond its parents and axes.
        run_keys: the same of the whole configuration.
        asks: section of the experiment that says whether there are cells at all, and of which
            mergings; a stage after it reads it only where there are.
        plugins: packages whose plug-ins it runs besides the methods of its axes: "pam.networks"
            for the experiment's architecture, "pam.data" for its data set.
        suffix: of its artefact; empty if the record is all it writes.
        tables: CSV files that hold its rows.
        computed_from: of a stage of the whole run, the stage whose rows its tables rest on.
        measures: whether a failed cell is still measured: as rows with a status.
        module: what computes, whose code counts.
    """

    help: str
    done: str
    folder: str = ""
    axes: tuple[str, ...] | None = ()
    parents: tuple[Parent, ...] = ()
    keys: tuple[str, ...] = ()
    run_keys: tuple[str, ...] = ()
    asks: str = ""
    plugins: tuple[str, ...] = ()
    suffix: str = ""
    tables: tuple[str, ...] = ()
    computed_from: str = ""
    measures: bool = False
    module: str = ""


_DATA = Parent("data", "prepare")
_TRUNK = Parent("trunk", "pretrain")
_NETWORKS = Parent("networks", "train")
_MERGED = Parent("merged", "merge")
_PRUNED = Parent("pruned", "prune")

_CELL_STAGES = {
    "prepare": Stage(
        help="make the data set of an experiment",
        done="prepared",
        folder="data",
        keys=("dataset", "data", "tasks"),
        plugins=("pam.data",),
        suffix=".json",
    ),
    "pretrain": Stage(
        help="train the network that all tasks of a seed start from",
        done="pretrained",
        folder="pretrained",
        axes=("seed",),
        parents=(_DATA,),
        keys=("architecture", "network"),
        run_keys=("threads", "device"),
        asks="init",
        plugins=("pam.networks", "pam.data"),
        suffix=".safetensors",
        tables=("training",),
    ),
    "train": Stage(
        help="train the single-task network of one task",
        done="trained",
        folder="networks",
        axes=("task", "seed"),
        parents=(_DATA, _TRUNK),
        keys=("architecture", "network", "init", "train"),
        run_keys=("threads", "device"),
        plugins=("pam.networks",),
        suffix=".safetensors",
        tables=("training",),
    ),
    "merge": Stage(
        help="merge the single-task networks of one seed",
        done="merged",
        folder="merged",
        axes=("merging", "seed"),
        parents=(_DATA, _NETWORKS),
        plugins=("pam.networks",),
        suffix=".safetensors",
        tables=("training", "neuron_information"),
    ),
    "prune": Stage(
        help="prune a merged network at every strength of the configuration",
        done="pruned",
        folder="pruned",
        axes=("merging", "pruning", "seed"),
        parents=(_DATA, _NETWORKS, Parent("network", "merge")),
        plugins=("pam.networks",),
        suffix=".safetensors",
        tables=("training",),
    ),
    "measure": Stage(
        help="measure accuracy and cost of every task combination of a cell",
        done="measured",
        folder="measured",
        axes=("merging", "pruning", "seed"),
        parents=(_DATA, _NETWORKS, _MERGED, _PRUNED),
        keys=("latency",),
        plugins=("pam.networks",),
        tables=("measurements", "accuracies", "groups", "latency"),
        measures=True,
    ),
    "relate": Stage(
        help="count what the network of the first task shares with every other one",
        done="related",
        folder="related",
        axes=("relatedness", "seed"),
        parents=(_DATA, _NETWORKS, _TRUNK),
        plugins=("pam.networks",),
        tables=("relatedness",),
    ),
    "analyse": Stage(
        help="tell which units of pruned networks are in fact exclusive or redundant",
        done="analysed",
        folder="analysed",
        axes=("merging", "pruning", "seed"),
        parents=(_DATA, _MERGED, _PRUNED),
        asks="conditions",
        plugins=("pam.networks",),
        tables=("exclusivity", "redundancy", "redundancy_samples"),
        measures=True,
    ),
}

# Those that take the run as a whole follow once all cells are there.
_RUN_STAGES = {
    "aggregate": Stage(
        help="put the rows of all records into the CSV files of a run",
        done="aggregated",
        axes=None,
        parents=tuple(Parent(stage, stage) for stage in _CELL_STAGES),
        run_keys=("deltas", "requests", "beside"),
        tables=("matched", "requests", "frontiers", "operating_points", "headline"),
        computed_from="measure",
    ),
    "tables": Stage(
        help="write the tables (CSV, Markdown, LaTeX) of a run",
        done="written",
        folder="tables",
        axes=None,
        parents=(Parent("results", "aggregate"),),
        module="pam.reporting.tables",
    ),
    "figures": Stage(
        help="draw the figures of a run from its CSV files",
        done="drawn",
        axes=None,
        parents=(Parent("results", "aggregate"),),
        module="pam.reporting.figures",
    ),
}

STAGES = _CELL_STAGES | _RUN_STAGES
"""Name of a stage, its command and its rule -> what it is."""

CELL_STAGES = tuple(_CELL_STAGES)
"""The stages that have a job per cell, in the order in which a failure is passed on."""

EVERYWHERE = ("resources", "failures")
"""CSV files that hold rows of every stage of cells."""

CSV_FILES = (
    *dict.fromkeys(name for stage in STAGES.values() for name in stage.tables),
    *EVERYWHERE,
)
"""The CSV files of a run, without their ending."""


def stage_of(name: str) -> Stage:
    """Return a stage.

    Raises:
        ConfigError: if there is none of this name.
    """
    check_known("stage", name, STAGES)
    return STAGES[name]


@cache
def axes_of(name: str) -> tuple[str, ...]:
    """Return the axes of a stage of cells, the experiment first; of the others none."""
    axes = stage_of(name).axes
    return () if axes is None else ("experiment", *axes)


@cache
def method_axis(name: str) -> str:
    """Return the axis whose method a stage runs; empty if it runs none.

    It is the one that its parents do not have: what they ran is not run again.
    """
    inherited = {axis for one in ancestors(name) for axis in STAGES[one].axes or ()}
    new = (axis for axis in stage_of(name).axes or () if axis not in inherited)
    return next((axis for axis in new if AXES[axis].package), "")


@cache
def ancestors(name: str) -> tuple[str, ...]:
    """Return the stages before a stage, in the order of the table."""
    before = {parent.stage for parent in stage_of(name).parents}
    before |= {one for parent in tuple(before) for one in ancestors(parent)}
    return tuple(one for one in STAGES if one in before)


def stages_of_table(table: str) -> tuple[str, ...]:
    """Return the stages of cells whose records hold the rows of a CSV file, or what they rest on.

    Raises:
        ConfigError: if no stage writes it.
    """
    if table in EVERYWHERE:
        return CELL_STAGES
    writers = tuple(
        stage.computed_from or name for name, stage in STAGES.items() if table in stage.tables
    )
    if not writers:
        raise ConfigError(f"no stage writes {table}.csv")
    return writers
