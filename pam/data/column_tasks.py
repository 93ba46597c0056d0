"""Tasks as lists of column names, in an option or a YAML file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pam.data.tasks import check_tasks
from pam.errors import ConfigError


def read_tasks(
    path: Path, option: Mapping[str, list[str]] | None, names: Sequence[str]
) -> dict[str, list[int]]:
    """Return task name -> label columns, from the option or else from the file.

    Args:
        path: a YAML file, e.g. ``A: [cat, dog]``; it need not exist if there is an option.
        option: task name -> column names.
        names: the columns that there are.

    Raises:
        ConfigError: if there is neither file nor option, or what it says does not fit.
    """
    if option is not None:
        return _columns_of(option, names, "option 'tasks'")
    if not path.is_file():
        half = (len(names) + 1) // 2
        example = {"A": list(names[:half]), "B": list(names[half:]) or list(names)}
        shown = ", ".join(f"{task}: [{', '.join(columns)}]" for task, columns in example.items())
        raise ConfigError(
            f"{path} does not exist; write there which columns are which task, for example "
            f"{{{shown}}}, or give the same as the option 'tasks'"
        )
    return _columns_of(_read_yaml(path), names, str(path))


def _columns_of(tasks: Any, names: Sequence[str], where: str) -> dict[str, list[int]]:
    if not isinstance(tasks, Mapping):
        raise ConfigError(f"{where} must map task names to lists of column names, not {tasks!r}")
    index = {name: column for column, name in enumerate(names)}
    columns: dict[str, list[int]] = {}
    for task, wanted in tasks.items():
        if not isinstance(wanted, list | tuple):
            raise ConfigError(f"{where}: task '{task}' needs a list of column names")
        for name in wanted:
            if not isinstance(name, str):
                raise ConfigError(f"{where}: column {name!r} of task '{task}' needs quotes")
            if name not in index:
                raise ConfigError(
                    f"{where}: task '{task}' names the column '{name}'; known: {', '.join(names)}"
                )
        columns[task] = [index[name] for name in wanted]
    try:
        return check_tasks(columns, len(names))
    except ConfigError as error:
        raise ConfigError(str(error).replace("option 'tasks'", where, 1)) from error


def _read_yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{path} cannot be read as YAML: {' '.join(str(error).split())}"
        ) from error
