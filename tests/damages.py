"""Random damage to one artefact of a run, as disks, editors and careless hands do it."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

_GONE = 0.3
"""How often something edited lacks a key as well: a seal, for one."""


def files_of(results: Path) -> list[Path]:
    """Return the artefacts of a run: records, networks, data, CSV files and the manifest."""
    tables = results / "tables"
    files = (path for path in results.rglob("*") if path.is_file() and tables not in path.parents)
    return sorted(path for path in files if path.suffix in (".json", ".safetensors", ".csv"))


def damage_one(results: Path, draw: random.Random) -> tuple[str, list[Path]]:
    """Damage one file, or let two change places; return what was done, and the files."""
    while True:
        path, kind = draw.choice(files_of(results)), draw.choice(list(_KINDS))
        before = path.read_bytes()
        changed = [path, *_KINDS[kind](path, draw)]
        if path.read_bytes() != before:
            return f"{kind} {', '.join(map(str, changed))}", changed


def _flip(path: Path, draw: random.Random) -> list[Path]:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(bytes(content))
    return []


def _truncate(path: Path, draw: random.Random) -> list[Path]:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content))])
    return []


def _swap(path: Path, draw: random.Random) -> list[Path]:
    alike = [other for other in path.parent.glob(f"*{path.suffix}") if other != path]
    if not alike:
        return []
    other = draw.choice(sorted(alike))
    one, content = path.read_bytes(), other.read_bytes()
    path.write_bytes(content)
    other.write_bytes(one)
    return [other]


def _edit(path: Path, draw: random.Random) -> list[Path]:
    """Change one value as an editor would."""
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        holder, key = draw.choice(list(_places(content)))
        holder[key] = _another(holder[key], draw)
        if isinstance(content, dict) and draw.random() < _GONE:
            del content[draw.choice(sorted(content))]
        indent = draw.choice([1, None])
        path.write_text(json.dumps(content, indent=indent, sort_keys=bool(indent)) + "\n")
    elif path.suffix == ".csv":
        with path.open(newline="") as file:
            lines = list(csv.reader(file))
        line = draw.choice(lines)
        place = draw.randrange(len(line))
        line[place] = draw.choice(["", "0.99", "1", "ok", line[place] + "0"])
        if draw.random() < 0.3:
            lines.append(lines.pop(draw.randrange(len(lines))))
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
    else:
        _flip(path, draw)
    return []


def _places(value: Any):
    """Yield every container and key of a JSON value that hold a plain value."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            yield from _places(item)
        else:
            yield value, key


def _another(value: Any, draw: random.Random) -> Any:
    if isinstance(value, bool) or value is None:
        return draw.choice([0.5, "another"])
    if isinstance(value, str):
        return draw.choice([value + "x", "", "ok"])
    return draw.choice([value + 1, value * 0.99, -value, str(value)])


_KINDS: dict[str, Callable[[Path, random.Random], list[Path]]] = {
    "flip a bit of": _flip,
    "truncate": _truncate,
    "change places of": _swap,
    "edit": _edit,
}
