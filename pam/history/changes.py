"""What the hashes in records stand for, and what differs between two of them.

A record keeps of the code only a hash. So every run writes down what its hashes were made of; where
that is known, ``make status`` can name the module that has changed since.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pam.config import Config
from pam.files import write_json
from pam.runs.cells import all_cells, cell_code, cell_modules

# Beside Snakemake's own notes: of no use in another folder.
HASHES = ".snakemake/hashes.json"

Modules = dict[str, dict[str, str]]
"""Hash of code -> {module: hash}."""


def remember(config: Config, path: str | Path = HASHES) -> None:
    """Add what the hashes of a configuration stand for to those of earlier runs.

    Raises:
        DataError: if the file cannot be written.
    """
    known = recall(path)
    new = {cell_code(config, cell): cell_modules(config, cell) for cell in all_cells(config)}
    if known | new != known:
        write_json(path, known | new)


def recall(path: str | Path = HASHES) -> Modules:
    """Return what is known of hashes; of a missing or damaged file nothing."""
    with suppress(OSError, ValueError):
        return TypeAdapter(Modules).validate_json(Path(path).read_bytes())
    return {}


_MOST_NAMES = 3
_SHORT = 40


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the sorted keys whose values differ, or that one side lacks."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def changed_keys(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the keys that differ, with their values before and now where those are short."""
    flat = _flat(before), _flat(now)
    names = []
    for key in differences(*flat):
        values = [json.dumps(side[key]) if key in side else "none" for side in flat]
        is_short = len("".join(values)) <= _SHORT
        names.append(f"{key} ({values[0]} -> {values[1]})" if is_short else key)
    return in_a_row(names)


def _flat(value: Any, at: str = "") -> dict[str, Any]:
    """Return dotted key -> value of nested mappings."""
    if not isinstance(value, Mapping) or not value:
        return {at: value}
    return {
        key: leaf
        for name, inner in value.items()
        for key, leaf in _flat(inner, f"{at}.{name}" if at else name).items()
    }


def in_a_row(names: list[str]) -> str:
    """Return names in a row; of many the first ones, and how many more there are."""
    shown = names if len(names) <= _MOST_NAMES else names[: _MOST_NAMES - 1]
    more = f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
    return ", ".join(shown) + more
