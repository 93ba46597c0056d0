"""The tree behind a target: what it is made from, what that is made from, down to the data."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pam.errors import PamError
from pam.files import file_hash
from pam.history.stale import present_code
from pam.history.targets import Run, Target, jobs_behind, rank, select_rows
from pam.reporting.run import experiment_hash
from pam.runs.cells import stage_code
from pam.runs.hashes import content_hash
from pam.runs.record import JobRecord
from pam.runs.stages import AXES, method_axis, stage_of

SAME, CHANGED = "unchanged", "CHANGED"
NOT_THERE = "not checked: not on disk"
NOT_NOTED = "not noted down"
CURRENT, STALE = "current", "stale"
SHOWN_ABOVE = "(shown above)"
MOST_ROWS = 5


@dataclass
class Node:
    """One thing in the tree.

    Attributes:
        kind: ``"figure"``, ``"table"``, ``"csv"``, ``"job"``, ``"cell"`` (a job in one line) or
            ``"group"`` (the jobs of one stage).
        name: what it is.
        facts: what is known of it, JSON-able.
        children: what it is made from.
    """

    kind: str
    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def walk(self) -> Iterator["Node"]:
        """Yield the node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def as_json(self) -> dict[str, Any]:
        """Return the tree as plain dictionaries."""
        children = [child.as_json() for child in self.children]
        return {"kind": self.kind, "name": self.name, **self.facts, "made_from": children}


def trace(target: Target, row: int | None = None, where: Mapping[str, str] | None = None) -> Node:
    """Return everything behind a target."""
    run, path = target.run, target.path
    if target.kind == "job":
        return _traced_job(target)
    if target.kind == "csv":
        node = Node("csv", str(path), _csv_facts(run, path))
    else:
        node = _drawing(target)
    rows = pd.DataFrame({"experiment": [target.experiment]})
    if target.kind == "csv" or row is not None or where:
        rows = select_rows(path, row, where or {})
        node.facts["rows"] = len(rows)
    if row is not None or where:
        shown = rows.head(MOST_ROWS).to_dict("index").items()
        node.facts["shown"] = {
            f"row {number}": {column: cell for column, cell in cells.items() if cell}
            for number, cells in shown
        }
    names = jobs_behind(run, target.sources, rows)
    node.children += [_job(run, names[0], set())] if len(names) == 1 else _groups(run, names)
    return node


def _traced_job(target: Target) -> Node:
    """Return the job of a file, and whether a file that was taken away is still what it wrote."""
    run, path = target.run, target.path
    node = _job(run, target.name, set())
    if not path.resolve().is_relative_to(run.folder.resolve()):
        sha256 = content_hash(path)
        recorded = [artefact["sha256"] for artefact in node.facts["artefacts"].values()]
        state = SAME if sha256 in recorded else CHANGED
        node.facts["traced"] = {str(path): {"sha256": sha256, "state": state}}
    return node


def _drawing(target: Target) -> Node:
    """Return a figure or table, and its CSV files: whether their rows are those it shows."""
    run, origin = target.run, target.origin
    sources = []
    for name in target.sources:
        now = experiment_hash(run.folder, name, target.experiment)
        drawn = _compared(origin.csv.get(name), now)
        facts = _csv_facts(run, run.folder / f"{name}.csv") | {"rows_sha256": now, "drawn": drawn}
        sources.append(Node("csv", str(run.folder / f"{name}.csv"), facts))
    facts = {
        "run": str(run.folder),
        "experiment": target.experiment,
        "file": _compared(target.sha256, file_hash(target.path)),
        "code_hash": origin.code_hash,
        "code": _compared(origin.code_hash, stage_code(f"{target.kind}s"), CURRENT, STALE),
    }
    return Node(target.kind, str(target.path), facts, sources)


def _csv_facts(run: Run, path: Path) -> dict[str, Any]:
    sha256 = file_hash(path)
    return {"sha256": sha256, "manifest": _compared(run.manifest.csv.get(path.stem), sha256)}


def _compared(recorded: str | None, now: str | None, same: str = SAME, other: str = CHANGED) -> str:
    return NOT_NOTED if not recorded else same if recorded == now else other


def _job(run: Run, name: str, shown: set[str]) -> Node:
    """Return a job in full, and those whose artefacts it read, without those behind others."""
    job = run.job(name)
    if job is None or name in shown:
        return Node("job", name, {"status": SHOWN_ABOVE if job else NOT_NOTED})
    shown.add(name)
    node = Node("job", name, _job_facts(run.folder, job))
    for parent in run.parents(job):
        if parent not in {one.name for one in node.walk()}:
            node.children.append(_job(run, parent, shown))
    return node


def _job_facts(folder: Path, job: JobRecord) -> dict[str, Any]:
    """Return what the record says of a job, and what is true of it today."""
    stage, axis = stage_of(job.rule), method_axis(job.rule)
    keys = (*stage.keys, stage.asks, AXES[axis].section if axis else "")
    return {
        **job.model_dump(include=set(JobRecord.model_fields)),
        "settings": {key: job.config[key] for key in keys if key in job.config},
        "code": _state_of_code(job),
        "git": _git(job),
        "machine": _machine(job),
        "artefacts": _states(folder, job.artefacts, job.files),
        "parents": _states(folder, job.parents, {}),
    }


def _state_of_code(job: JobRecord) -> str:
    return _compared(job.code_hash, present_code(job), CURRENT, STALE)


def _git(job: JobRecord) -> str:
    """Return the commit that a job ran, and whether the sources had other changes."""
    git = job.environment.git
    if not git:
        return "no git"
    return f"{(git.commit or 'no commit')[:12]} ({'dirty' if git.dirty else 'clean'})"


def _machine(job: JobRecord) -> str:
    """Return where a job ran, on what, and with which torch."""
    known, device = job.environment, job.environment.device or job.device
    where = f"{device} ({known.cpu})" if device == "cpu" else device
    versions = f"python {known.python}, torch {known.packages.get('torch')}"
    return f"{known.host}, {where}, {job.threads} thread{'s' * (job.threads != 1)}, {versions}"


def _states(
    folder: Path, contents: Mapping[str, str], files: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return path in the run -> recorded hash, and whether the file on disk still has it.

    Args:
        folder: of the run.
        contents: path in the run -> recorded hash of what it held.
        files: the same of its bytes, as far as that is known.
    """
    return {
        path: {"sha256": sha256, "state": _state(folder / path, sha256, files.get(path, ""))}
        for path, sha256 in contents.items()
    }


def _state(path: Path, content: str, file: str) -> str:
    if not path.is_file():
        return NOT_THERE
    try:
        if file not in ("", file_hash(path)):
            return CHANGED
        return _compared(content, content_hash(path))
    except PamError as error:
        return f"{CHANGED}: {error}"


def _groups(run: Run, names: Sequence[str]) -> list[Node]:
    """Return many jobs in a line each, stage after stage; those before them are only counted."""
    before = run.ancestors(names) - set(names)
    jobs = {name: run.job(name) for name in (*names, *sorted(before))}
    groups = []
    for place in sorted({rank(job) for job in jobs.values()}, reverse=True):
        members = {name: job for name, job in jobs.items() if rank(job) == place}
        known = [job for job in members.values() if job]
        facts = {
            "status": _counted(job.status if job else NOT_NOTED for job in members.values()),
            "code": _counted(_state_of_code(job) for job in known),
            "git": _counted(_git(job) for job in known),
            "machine": _counted(_machine(job) for job in known),
        }
        cells = [
            Node("cell", name, _cell_facts(run.folder, job))
            for name, job in members.items()
            if job and name not in before
        ]
        title = f"{len(members)} × {known[0].rule if known else 'unknown'}"
        groups.append(Node("group", title, facts, cells))
    return groups


def _counted(values: Iterable[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in Counter(values).items())


def _cell_facts(folder: Path, job: JobRecord) -> dict[str, Any]:
    states = sorted(state["state"] for state in _states(folder, job.artefacts, job.files).values())
    return {
        "status": job.status,
        "config_hash": job.config_hash,
        "code_hash": job.code_hash,
        "code": _state_of_code(job),
        "artefacts": states[0] if states else NOT_NOTED,
        "reason": job.reason,
        "log": job.log if job.reason else "",
    }


LABEL = 12
# Shown of a job only if all is: its settings, code and machine sum them up.
_FULL = ("config", "environment")


def render(node: Node, full: bool = False) -> str:
    """Return the tree as text; ``full``: with whole hashes, settings and every package."""
    text = "\n".join(_lines(node, full)) + "\n"
    return text if full else re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", text)


def _lines(node: Node, full: bool) -> Iterator[str]:
    if node.kind == "cell":
        yield "  ".join(filter(None, [node.name, *node.facts.values()]))
        return
    yield f"{node.name}  {node.facts.get('status', '')}".rstrip()
    stem = "│ " if node.children else "  "
    for label, value in node.facts.items():
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
