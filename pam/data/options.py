"""Options that data sets have in common: numbers with a range, and tasks."""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from numbers import Real
from string import ascii_uppercase
from typing import Any

from pam.errors import ConfigError

# A task's name is part of file names, and "&" joins the tasks of a combination.
_NAME = re.compile(r"[A-Za-z0-9_]+")
# The name of the group of all tasks.
_RESERVED = ("shared",)
_TASKS = "option 'tasks'"


def check_integers(lowest: int, **values: object) -> None:
    """Refuse options that are not integers from ``lowest`` on.

    Raises:
        ConfigError: naming the option.
    """
    for name, value in values.items():
        if type(value) is not int or value < lowest:
            raise ConfigError(f"option '{name}' must be an integer >= {lowest}, not {value!r}")


def check_positive(**values: int | None) -> dict[str, int | None]:
    """Return options after checking that each is a positive integer, or None for no limit.

    Raises:
        ConfigError: naming the option.
    """
    check_integers(1, **{name: value for name, value in values.items() if value is not None})
    return values


def check_fraction(name: str, value: float, *, zero: bool = False) -> None:
    """Refuse what is not a number below 1 and above 0 (or equal to 0, if ``zero``).

    Raises:
        ConfigError: naming the option.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not (0 < value < 1 or (zero and value == 0)):
        limits = "in [0, 1)" if zero else "between 0 and 1"
        raise ConfigError(f"option '{name}' must be {limits}, not {value!r}")


def consecutive_tasks(*sizes: int) -> dict[str, list[int]]:
    """Return tasks ``A``, ``B``, ... of so many label columns each, in the order of the columns."""
    stops = accumulate(sizes)
    return {
        name: list(range(stop - size, stop))
        for name, size, stop in zip(ascii_uppercase, sizes, stops, strict=False)
    }


def two_halves(n_labels: int) -> dict[str, list[int]]:
    """Return task ``A`` with the first half of the label columns and ``B`` with the rest."""
    return consecutive_tasks(n_labels // 2, n_labels - n_labels // 2)


def check_tasks(tasks: Mapping[str, list[int]], n_labels: int) -> dict[str, list[int]]:
    """Return tasks as a plain dictionary after checking them; tasks may share labels.

    Args:
        tasks: task name -> label columns, e.g. ``{"A": [0, 1], "B": [1, 2]}``.
        n_labels: label columns that the data set has.

    Raises:
        ConfigError: if there is no task, a name cannot be used, or columns are missing, repeated
            or outside 0..n_labels-1.
    """
    if not isinstance(tasks, Mapping) or not tasks:
        raise ConfigError(f"{_TASKS} must map task names to label columns, not {tasks!r}")
    for name, columns in tasks.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
            raise ConfigError(
                f"{_TASKS}: {name!r} cannot be the name of a task; "
                f"use letters, digits and '_', and not 'shared'"
            )
        if not isinstance(columns, list | tuple) or not columns:
            raise ConfigError(f"{_TASKS}: task '{name}' needs a list of label columns")
        for column in columns:
            if type(column) is not int:
                raise ConfigError(
                    f"{_TASKS}: label column {column!r} of task '{name}' is not an integer"
                )
            if not 0 <= column < n_labels:
                raise ConfigError(
                    f"{_TASKS}: label column {column} of task '{name}' is outside 0..{n_labels - 1}"
                )
        if len(set(columns)) != len(columns):
            raise ConfigError(f"{_TASKS}: task '{name}' names a label column twice")
    return {name: list(columns) for name, columns in tasks.items()}


def named_tasks(
    tasks: Any, names: Sequence[str], *, numbers: bool = False, where: str = _TASKS
) -> dict[str, list[int]]:
    """Return task name -> label columns of tasks that name their columns, checked.

    Args:
        tasks: task name -> column names.
        names: the names of all label columns.
        numbers: whether a column may also be given by its number.
        where: where the tasks stand, for errors.

    Raises:
        ConfigError: as :func:`check_tasks`, and for a name that no column has.
    """

    def column(task: str, name: object) -> object:
        if isinstance(name, str):
            if name not in names:
                raise ConfigError(
                    f"{where}: task '{task}' names the column '{name}'; known: {', '.join(names)}"
                )
            return names.index(name)
        if not numbers:
            raise ConfigError(f"{where}: column {name!r} of task '{task}' needs quotes")
        return name

    if isinstance(tasks, Mapping):
        tasks = {
            task: [column(task, name) for name in named]
            if isinstance(named, list | tuple)
            else named
            for task, named in tasks.items()
        }
    try:
        return check_tasks(tasks, len(names))
    except ConfigError as error:
        raise ConfigError(str(error).replace(_TASKS, where, 1)) from error
