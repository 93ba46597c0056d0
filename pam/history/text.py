"""The tree behind a target, as text to read."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pam.tracing.tree import Node, git_of

HASH, LONGEST = 12, 96
LABEL = 10
# Of the config slice of a rule, what the rules before do not depend on.
OWN = {
    "prepare": ("dataset", "data", "tasks"),
    "train": ("architecture", "network", "train"),
    "merge": ("merging",),
    "prune": ("pruning",),
    "measure": ("latency",),
    "relate": ("relatedness",),
    "analyse": ("conditions",),
}
PACKAGES = ("torch", "numpy", "safetensors", "fvcore")


def render(node: Node, full: bool = False) -> str:
    """Return the tree as text.

    Args:
        node: its root.
        full: show whole hashes, the whole slice of the configuration, and every package.
    """
    return "\n".join(_lines(node, full)) + "\n"


def _lines(node: Node, full: bool) -> Iterator[str]:
    title, *facts = list(_HEADS[node.kind](node, full))
    yield title
    stem = "│ " if node.children else "  "
    yield from (f"{stem} {fact}" for fact in facts)
    for index, child in enumerate(node.children):
        last = index == len(node.children) - 1
        first, *rest = _lines(child, full)
        yield ("└─ " if last else "├─ ") + first
        yield from (("   " if last else "│  ") + line for line in rest)


def _drawn(node: Node, full: bool) -> Iterator[str]:
    facts = node.facts
    yield node.name
    yield _fact("shows", f"experiment {facts['experiment']} of {facts['run']}")
    code = f"{_hash(facts['code_hash'], full)}, {facts['code']}" if facts["code_hash"] else ""
    yield _fact("code", code or "not noted down in the file")


def _csv(node: Node, full: bool) -> Iterator[str]:
    facts = node.facts
    rows = f": {facts['rows']} row{'s' * (facts['rows'] != 1)}" if "rows" in facts else ""
    yield f"{node.name}{rows}"
    yield _fact("sha256", f"{_hash(facts['sha256'], full)}, in the manifest: {facts['manifest']}")
    if "drawn" in facts:
        said = f"{_hash(facts['rows_sha256'], full)}, since it was drawn: {facts['drawn']}"
        yield _fact("its rows", said)
    for number, row in facts.get("shown", {}).items():
        yield _fact(f"row {number}", " ".join(f"{name}={cell}" for name, cell in row.items()))
    if len(facts.get("shown", ())) < facts.get("rows", 0) and facts.get("shown"):
        yield _fact("", f"and {facts['rows'] - len(facts['shown'])} more")
    if "record" in facts:
        yield _fact("in record", facts["record"])


def _job(node: Node, full: bool) -> Iterator[str]:
    facts = node.facts
    yield f"{node.name}  {facts['status']}"
    if facts.get("reason"):
        yield _fact("reason", facts["reason"])
    if "rule" not in facts:
        return
    yield from _config(facts, full)
    yield _fact("code", f"{_hash(facts['code_hash'], full)}, {facts['code']}; {git_of(facts)}")
    if facts.get("data_hash"):
        yield _fact("data", _hash(facts["data_hash"], full))
    if facts.get("seeds"):
        yield _fact("seeds", " ".join(f"{name} {seed}" for name, seed in facts["seeds"].items()))
    yield _fact("ran", _ran(facts))
    yield _fact("with", _packages(facts["environment"], full))
    for label in ("command", "log"):
        if facts.get(label):
            yield _fact(label, facts[label])
    for path, held in facts["artefacts"].items():
        yield _fact("made", f"{path} {_hash(held['sha256'], full)}: {held['state']}")
    for path in facts["other_parents"]:
        yield _fact("PARENT", f"{path} was made anew since: its record tells another hash")
    if "traced" in facts:
        path, sha256, state = facts["traced"].values()
        yield _fact("traced", f"{path} {_hash(sha256, full)}: {state}")


def _config(facts: Mapping[str, Any], full: bool) -> Iterator[str]:
    config = facts["config"]
    own = config if full else {key: config[key] for key in OWN[facts["rule"]] if key in config}
    yield _fact("config", _hash(facts["config_hash"], full))
    for key, value in own.items():
        text = f"{key}: {json.dumps(value, ensure_ascii=False)}"
        yield _fact("", text if full or len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def _ran(facts: Mapping[str, Any]) -> str:
    start, end = (datetime.fromisoformat(facts[key]) for key in ("started", "ended"))
    environment, threads = facts["environment"], facts["threads"]
    device = environment["device"] or facts["device"]
    where = f"{device} ({environment['cpu']})" if device == "cpu" else device
    return (
        f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC, {(end - start).total_seconds():.0f} s, "
        f"on {environment['host']}, {where}, {threads} thread{'s' * (threads != 1)}"
    )


def _packages(environment: Mapping[str, Any], full: bool) -> str:
    known = environment["packages"]
    names = known if full else [name for name in PACKAGES if known.get(name)]
    return ", ".join([f"python {environment['python']}", *(f"{n} {known[n]}" for n in names)])


def _cell(node: Node, full: bool) -> Iterator[str]:
    facts = node.facts
    config, code = (_hash(facts.get(key), full) for key in ("config_hash", "code_hash"))
    yield (
        f"{node.name}  {facts['status']}  config {config}  code {code} {facts['code']}  "
        f"{facts['git']}  {facts.get('started', '')[:10]} on {facts['host']}  {facts['kept']}"
    )
    if facts.get("reason"):
        yield _fact("reason", f"{facts['reason']}  {facts.get('log', '')}".strip())


def _group(node: Node, full: bool) -> Iterator[str]:
    facts = node.facts
    if "names" in facts:
        yield f"{facts['jobs']} jobs that the manifest does not name: {', '.join(facts['names'])}"
        return
    counts = (
        ", ".join(f"{count} {name}" for name, count in facts[key].items())
        for key in ("status", "code")
    )
    yield f"{facts['jobs']} × {node.name}: " + "; code ".join(counts)
    yield _fact("sources", ", ".join(f"{name} × {count}" for name, count in facts["git"].items()))
    yield _fact("hosts", ", ".join(f"{name} × {count}" for name, count in facts["host"].items()))


def _again(node: Node, full: bool) -> Iterator[str]:
    yield f"{node.name}  (shown above)"


def _fact(label: str, text: str) -> str:
    return f"{label:{LABEL}}{text}".rstrip()


def _hash(sha256: str | None, full: bool) -> str:
    return (sha256 if full else (sha256 or "")[:HASH]) or "—"


_HEADS = {
    "figure": _drawn,
    "table": _drawn,
    "csv": _csv,
    "job": _job,
    "cell": _cell,
    "group": _group,
    "again": _again,
}
