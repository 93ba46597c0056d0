"""The tree behind a target, as text to read."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pam.history.trace import NOT_NOTED, Node

LABEL = 12
# Shown of a job only if all is: its settings, code and machine sum them up.
_FULL = ("config", "environment")


def render(node: Node, full: bool = False) -> str:
    """Return the tree as text.

    Args:
        node: its root.
        full: show whole hashes, the whole slice of the configuration, and every package.
    """
    text = "\n".join(_lines(node, full)) + "\n"
    return text if full else re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text)


def _lines(node: Node, full: bool) -> Iterator[str]:
    if node.kind == "cell":
        yield "  ".join(filter(None, [node.name, *node.facts.values()]))
        return
    yield f"{node.name}  {node.facts.get('status', '')}".rstrip()
    stem = "│ " if node.children else "  "
    for label, value in node.facts.items():
        if label == "artefacts":
            value = value or NOT_NOTED
        if value and label != "status" and (full or label not in _FULL):
            yield from (f"{stem} {label:{LABEL}}{text}" for text in _texts(value))
    for child in node.children:
        last = child is node.children[-1]
        first, *rest = _lines(child, full)
        yield ("└─ " if last else "├─ ") + first
        yield from (("   " if last else "│  ") + line for line in rest)


def _texts(value: Any) -> Iterator[str]:
    """Yield the lines of a fact."""
    if not isinstance(value, dict):
        yield str(value)
        return
    for key, item in value.items():
        if isinstance(item, dict) and item.keys() == {"sha256", "state"}:
            yield f"{key} {item['sha256']}: {item['state']}"
        else:
            yield f"{key}: {json.dumps(item, ensure_ascii=False)}"
