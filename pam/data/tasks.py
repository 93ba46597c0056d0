"""Tasks: named lists of label columns."""

import re
from collections.abc import Mapping

from pam.errors import ConfigError

# A task's name is part of file names, and "&" joins the tasks of a combination.
_NAME = re.compile(r"[A-Za-z0-9_]+")
# The name of the group of all tasks.
_RESERVED = ("shared",)


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
        raise ConfigError(f"option 'tasks' must map task names to label columns, not {tasks!r}")
    for name, columns in tasks.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
            raise ConfigError(
                f"option 'tasks': {name!r} cannot be the name of a task; "
                f"use letters, digits and '_', and not 'shared'"
            )
        if not isinstance(columns, list | tuple) or not columns:
            raise ConfigError(f"option 'tasks': task '{name}' needs a list of label columns")
        for column in columns:
            if isinstance(column, bool) or not isinstance(column, int):
                raise ConfigError(
                    f"option 'tasks': label column {column!r} of task '{name}' is not an integer"
                )
            if not 0 <= column < n_labels:
                raise ConfigError(
                    f"option 'tasks': label column {column} of task '{name}' "
                    f"is outside 0..{n_labels - 1}"
                )
        if len(set(columns)) != len(columns):
            raise ConfigError(f"option 'tasks': task '{name}' names a label column twice")
    return {name: list(columns) for name, columns in tasks.items()}
