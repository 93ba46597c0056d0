"""Groups of units, named by the set of tasks that use them, and the one wiring rule."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations as choose

from pam.errors import ConfigError
from pam.names import TASK_NAME

Group = frozenset[str]
Widths = dict[str, dict[Group, int]]

SHARED = "shared"


def check_task_name(name: object, where: str = "") -> str:
    """Return the name of a task if modules, files and combinations can carry it.

    Args:
        name: what is to be one.
        where: where it stands, for the error.

    Raises:
        ConfigError: if it is no word.
    """
    if not isinstance(name, str) or name == SHARED or not re.fullmatch(TASK_NAME, name):
        raise ConfigError(
            f"{where}{': ' if where else ''}{name!r} cannot be the name of a task, which "
            f"is text of at most 64 letters from A to Z, digits and '_', and not '{SHARED}'"
        )
    return name


def reads(reader: Group, source: Group) -> bool:
    """Tell whether a group reads a group of the layer before: iff ``reader`` is a subset."""
    return reader <= source


def group_name(group: Group, tasks: Sequence[str]) -> str:
    """Return ``"shared"`` for the group of all of several tasks, else its tasks joined by ``&``."""
    if len(tasks) > 1 and len(group) == len(tasks):
        return SHARED
    return "&".join(task for task in tasks if task in group)


def parse_group(name: str, tasks: Sequence[str]) -> Group:
    """Return the group of a name written by :func:`group_name`.

    Raises:
        ConfigError: if the name holds an unknown task.
    """
    if name == SHARED:
        return frozenset(tasks)
    return frozenset(parse_combination(name, tasks))


def sorted_groups(groups: Iterable[Group], tasks: Sequence[str]) -> list[Group]:
    """Return groups in canonical order: fewer tasks first, then in the order of ``tasks``."""
    position = {task: index for index, task in enumerate(tasks)}
    return sorted(groups, key=lambda group: (len(group), sorted(position[t] for t in group)))


def all_combinations(tasks: Sequence[str]) -> list[tuple[str, ...]]:
    """Return every non-empty combination of tasks, smaller first, in the order of ``tasks``."""
    return [c for size in range(1, len(tasks) + 1) for c in choose(tasks, size)]


def combination_name(combination: Iterable[str]) -> str:
    """Return a combination as the paper writes it: ``A&B``."""
    return "&".join(combination)


def parse_combination(combination: str | Iterable[str], tasks: Sequence[str]) -> tuple[str, ...]:
    """Return a combination, given as ``"A&C"`` or as task names, in the order of ``tasks``.

    Raises:
        ConfigError: if it is empty or names an unknown task.
    """
    names = combination.split("&") if isinstance(combination, str) else list(combination)
    unknown = [name for name in names if name not in tasks]
    if unknown or not names:
        fault = f"unknown task '{unknown[0]}'" if unknown else "an empty task combination"
        raise ConfigError(f"{fault}; the tasks are {', '.join(tasks)}")
    return tuple(task for task in tasks if task in names)


def runs(group: Group, combination: Iterable[str]) -> bool:
    """Tell whether running a combination executes a group: iff they have a task in common."""
    return not group.isdisjoint(combination)


def components(widths: Mapping[str, Mapping[Group, int]], tasks: Sequence[str]) -> list[Group]:
    """Return the sets of tasks that are connected through common groups, in task order.

    Networks that share no group are independent: each component can be pruned on its own.
    """
    parts: list[Group] = [frozenset([task]) for task in tasks]
    for groups in widths.values():
        for group in groups:
            touched = [part for part in parts if part & group]
            parts = [part for part in parts if not part & group] + [frozenset().union(*touched)]
    return sorted(parts, key=lambda part: min(map(list(tasks).index, part)))
