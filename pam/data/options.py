"""The tasks of a data set, as its options name them."""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from string import ascii_uppercase
from typing import Any

from pam.errors import ConfigError

# A task's name is part of file names, and "&" joins the tasks of a combination.
_NAME = re.compile(r"[A-Za-z0-9_]+")
# The name of the group of all tasks.
_RESERVED = ("shared",)
_TASKS = "option 'tasks'"


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
