"""The columns of every CSV file of a run, their fixed decimals and the order of their rows."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pam.config.profile import DELTA_DECIMALS
from pam.config.sections import STRENGTH_DECIMALS
from pam.errors import DataError

TEXT = None
INTEGER = 0

Columns = dict[str, int | None]
"""Column name -> number of decimals; ``TEXT`` for words, ``INTEGER`` for whole numbers."""


@dataclass(frozen=True)
class Table:
    """One CSV file.

    Attributes:
        name: file name without ``.csv``.
        columns: its columns in order, each with its number of decimals.
        key: the columns that tell two rows apart; rows are sorted by them.
    """

    name: str
    columns: Columns
    key: tuple[str, ...]

    def check(self, row: Mapping[str, Any]) -> None:
        """Refuse a row that does not have exactly the columns of the table.

        Raises:
            DataError: naming the missing and the unknown columns.
        """
        missing = [name for name in self.columns if name not in row]
        unknown = [name for name in row if name not in self.columns]
        if missing or unknown:
            raise DataError(
                f"a row of {self.name}.csv lacks the columns [{', '.join(missing)}] "
                f"and has the unknown columns [{', '.join(unknown)}]"
            )

    def format_row(self, row: Mapping[str, Any]) -> list[str]:
        """Return the cells of a row as they stand in the file; None and NaN become empty.

        Raises:
            DataError: if a column is missing, unknown, or not a number where one is due.
        """
        self.check(row)
        return [self._format(name, row[name]) for name in self.columns]

    def sort_key(self, row: Mapping[str, Any]) -> tuple:
        """Return what a row is sorted by: numbers by value, words with their numbers in order."""
        return tuple(_order(name, row[name], self.columns[name]) for name in self.key)

    def _format(self, name: str, value: Any) -> str:
        decimals = self.columns[name]
        if decimals is TEXT:
            return "" if is_empty(value) else str(value)
        try:
            return format_number(value, decimals)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"column '{name}' of {self.name}.csv needs a number, not {value!r}"
            ) from error


def is_empty(value: Any) -> bool:
    """Tell whether a value stands for 'none': None, NaN or the empty text."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def format_number(value: Any, decimals: int) -> str:
    """Return a number with fixed decimals, never ``-0``; empty for None and NaN.

    Raises:
        ValueError, TypeError: if the value is not a number.
        OverflowError: if it is a whole number that no float can hold.
    """
    if is_empty(value):
        return ""
    number = float(value)
    text = f"{number:.{decimals}f}" if not isinstance(value, int) or decimals else str(value)
    return text.lstrip("-") if float(text) == 0 else text


def _order(name: str, value: Any, decimals: int | None) -> tuple:
    if is_empty(value):
        return (0,)
    if decimals is not TEXT:
        return (1, float(value))
    # Combinations of fewer tasks first: A, B, A&B.
    size = str(value).count("&") if name in ("combination", "group") else 0
    return (2, size, natural_key(str(value)))


@lru_cache(maxsize=4096)
def natural_key(text: str) -> tuple:
    """Return a sort key in which ``conv2`` comes before ``conv10``."""
    parts = re.split(r"(\d+)", text)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def _words(*names: str) -> Columns:
    return dict.fromkeys(names, TEXT)


def _whole(*names: str) -> Columns:
    return dict.fromkeys(names, INTEGER)


def _interval(name: str, decimals: int) -> Columns:
    return {f"{name}_{part}": decimals for part in ("mean", "low", "high")}


_EXPERIMENT = _words("experiment", "dataset", "architecture")
_RUN = _whole("threads") | _words("device", "config_hash", "code_hash", "data_hash")
CELL = _EXPERIMENT | _words("merging", "pruning") | {"strength": STRENGTH_DECIMALS, "seed": INTEGER}
_CELL_KEY = ("experiment", "pruning", "merging", "strength", "seed")

MEASUREMENTS = Table(
    "measurements",
    CELL
    | {"combination": TEXT, "n_tasks": INTEGER, "status": TEXT}
    | {"accuracy": 6, "validation_accuracy": 6, "single_task_accuracy": 6, "accuracy_drop": 4}
    | _whole("flops", "macs", "parameters")
    | _RUN,
    (*_CELL_KEY, "combination"),
)

ACCURACIES = Table(
    "accuracies",
    CELL
    | {"task": TEXT, "status": TEXT, "accuracy": 6, "validation_accuracy": 6}
    | {"single_task_accuracy": 6, "single_task_validation_accuracy": 6},
    (*_CELL_KEY, "task"),
)

GROUPS = Table(
    "groups",
    CELL | _words("stage", "layer", "group") | _whole("neurons"),
    (*_CELL_KEY, "stage", "layer", "group"),
)

TRAINING = Table(
    "training",
    _EXPERIMENT
    | _words("stage", "merging", "pruning")
    | {"strength": STRENGTH_DECIMALS, "task": TEXT, "seed": INTEGER, "step": INTEGER, "epoch": 4}
    | {"learning_rate": 8, "loss": 6, "validation_accuracy": 6},
    ("experiment", "stage", "merging", "pruning", "strength", "task", "seed", "step", "epoch"),
)

NEURON_INFORMATION = Table(
    "neuron_information",
    _words("experiment", "architecture", "merging")
    | {"seed": INTEGER, "layer": TEXT, "neuron": INTEGER}
    | _words("origin", "group", "task")
    | {"information_nats": 6, "label_entropy_nats": 6},
    ("experiment", "merging", "seed", "layer", "neuron", "task"),
)

LATENCY = Table(
    "latency",
    CELL
    | {"combination": TEXT, "batch_size": INTEGER, "threads": INTEGER, "backend": TEXT}
    | {"median_ms": 4, "low_ms": 4, "high_ms": 4, "rounds": INTEGER},
    (*_CELL_KEY, "combination", "backend", "batch_size", "threads"),
)

RESOURCES = Table(
    "resources",
    _words("rule", "experiment", "task", "merging", "pruning")
    | {"seed": INTEGER, "wall_s": 3, "cpu_s": 3, "peak_memory_mb": 1}
    | _words("device", "host"),
    ("rule", "experiment", "task", "merging", "pruning", "seed"),
)

FAILURES = Table(
    "failures",
    _words("experiment", "merging", "pruning") | _whole("seed") | _words("status", "reason", "log"),
    ("experiment", "merging", "pruning", "seed", "status", "reason", "log"),
)

RELATEDNESS = Table(
    "relatedness",
    _EXPERIMENT
    | {"merging": TEXT, "seed": INTEGER, "task_a": TEXT, "task_b": TEXT}
    | {"label_information_nats": 6, "layer": TEXT}
    | _whole("neurons", "shared", "exclusive_a", "exclusive_b", "removed")
    | _words("status")
    | _RUN,
    ("experiment", "merging", "seed", "task_a", "task_b", "layer"),
)
"""Per pair of tasks and layer: where the ``neurons`` of both networks go."""

EXCLUSIVITY = Table(
    "exclusivity",
    CELL
    | {"layer": TEXT, "exclusive_to": TEXT, "step": INTEGER, "neuron": INTEGER, "task": TEXT}
    | {"information_nats": 6, "accuracy": 6, "validation_accuracy": 6, "status": TEXT}
    | _RUN,
    (*_CELL_KEY, "layer", "exclusive_to", "step", "task"),
)
"""Accuracy of ``task`` once the first ``step`` neurons, the most exclusive ones, are gone."""

_PAIR = _words("layer", "task_a", "task_b")

REDUNDANCY = Table(
    "redundancy",
    CELL
    | _PAIR
    | {"neurons_a": INTEGER, "neurons_b": INTEGER, "mean_max_correlation": 6}
    | {"max_correlation": 6, "neuron_a": INTEGER, "neuron_b": INTEGER, "status": TEXT}
    | _RUN,
    (*_CELL_KEY, *_PAIR),
)
"""Correlation between the exclusive groups of two tasks; ``strength`` 0 is before pruning."""

REDUNDANCY_SAMPLES = Table(
    "redundancy_samples",
    CELL | _PAIR | {"sample": INTEGER, "value_a": 6, "value_b": 6},
    (*_CELL_KEY, *_PAIR, "sample"),
)
"""Outputs of the most correlated pair of :data:`REDUNDANCY`, one row per image."""

_DELTA = {"delta": DELTA_DECIMALS}
_COMPARED = _words("experiment", "pruning", "requirement") | _DELTA | _words("merging")
_RATIOS: Columns = {}
for _reference in ("none", "mtz"):
    _RATIOS |= _interval(f"flops_vs_{_reference}", 4)
    _RATIOS |= {f"flops_vs_{_reference}_p": 6, f"flops_vs_{_reference}_p_holm": 6}
_MATCH = (
    {"status": TEXT, "n": INTEGER, "crossed": INTEGER}
    | _interval("accuracy", 6)
    | _interval("flops", INTEGER)
    | _RATIOS
)

MATCHED = Table("matched", _COMPARED | _words("combination") | _MATCH, (*_COMPARED, "combination"))
"""Costs at matched accuracy; ``p_holm``: corrected for the combinations of tasks."""

REQUESTS = Table(
    "requests", _COMPARED | _whole("n_tasks", "combinations") | _MATCH, (*_COMPARED, "n_tasks")
)
"""As :data:`MATCHED`, what a request is expected to cost: the mean over all combinations of
``n_tasks`` tasks, and of any number where that is empty."""

FRONTIERS = Table(
    "frontiers",
    _words("experiment", "pruning", "requirement", "merging", "combination")
    | {"n": INTEGER}
    | _RATIOS,
    ("experiment", "pruning", "requirement", "merging", "combination"),
)
"""Ratios of cost averaged over all drops that two paths cover; an empty combination: a request."""

_POINT = _words("experiment", "pruning") | _DELTA | _words("merging")

OPERATING_POINTS = Table(
    "operating_points",
    _POINT
    | {"seed": INTEGER, "combination": TEXT, "status": TEXT, "strengths": TEXT}
    | {"validation_margin": 4, "accuracy": 6}
    | _whole("flops", "macs", "parameters"),
    (*_POINT, "seed", "combination"),
)

HEADLINE = Table(
    "headline",
    _words("experiment", "against", "merging", "pruning", "combination")
    | _DELTA
    | {"n": INTEGER, "status": TEXT, "factor": 4, "low": 4, "high": 4, "p": 6}
    | {"paper": 2},
    ("experiment", "against", "pruning", "merging", "delta"),
)

NAMES = (
    *("experiment", "merging", "against", "pruning", "combination", "group", "exclusive_to"),
    *("task", "task_a", "task_b"),
)
"""Columns of names that a configuration gives, some of them several names joined by ``&``."""

MEASURED = (
    *(MEASUREMENTS, ACCURACIES, GROUPS, TRAINING, NEURON_INFORMATION, LATENCY, RESOURCES),
    *(FAILURES, RELATEDNESS, EXCLUSIVITY, REDUNDANCY, REDUNDANCY_SAMPLES),
)
"""Files whose rows come from the records of the jobs."""

DERIVED = (MATCHED, REQUESTS, FRONTIERS, OPERATING_POINTS, HEADLINE)
"""Files computed from the measured ones."""

TABLES: dict[str, Table] = {table.name: table for table in (*MEASURED, *DERIVED)}
