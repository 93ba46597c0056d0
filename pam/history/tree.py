"""The tree behind a target: what it is made from, what that is made from, down to the data."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pam.provenance import content_hash
from pam.tracing.code import state_of_code, state_of_drawing
from pam.tracing.rows import jobs_behind, jobs_of, select_rows
from pam.tracing.runs import RULES, Job, Run
from pam.tracing.targets import Target

from pam.errors import PamError
from pam.files import file_hash, read_json
from pam.reporting.origins import experiment_hash
from pam.reporting.schema import TABLES

SAME, CHANGED = "unchanged", "CHANGED"
NOT_THERE = "not checked: not on disk"
NOT_NOTED = "not noted down"
MOST_ROWS = 5


@dataclass
class Node:
    """One thing in the tree.

    Attributes:
        kind: ``"figure"``, ``"table"``, ``"csv"``, ``"job"``, ``"cell"`` (a job in one line),
            ``"group"`` or ``"again"`` (a job that stands further up already).
        name: what it is.
        facts: what is known of it, JSON-able.
        children: what it is made from.
    """

    kind: str
    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the tree as plain dictionaries."""
        return {
            "kind": self.kind,
            "name": self.name,
            **self.facts,
            "made_from": [child.as_json() for child in self.children],
        }


def trace(target: Target, row: int | None = None, where: Mapping[str, str] | None = None) -> Node:
    """Return everything behind a target.

    Args:
        target: what to trace.
        row: number of one row of a CSV file.
        where: column -> value that rows of a CSV file must have.

    Raises:
        ConfigError: if there is no such row.
        DataError: if a file is missing or damaged.
    """
    if target.kind == "job":
        return _job(target.run, target.name, set(), target.path)
    if target.kind == "csv":
        return _csv(target, row, where or {})
    return _drawn(target)


def _drawn(target: Target) -> Node:
    """Return a figure or table, the CSV files it is made from, and the jobs behind those."""
    run, origin = target.run, target.origin
    stage = "figures" if target.kind == "figure" else "tables"
    facts = {
        "run": str(run.folder),
        "experiment": target.experiment,
        "code_hash": origin.get("code_hash"),
        "code": state_of_drawing(stage, origin.get("code_hash")),
    }
    sources = [_source(run, name, target) for name in target.sources]
    jobs = _group(run, jobs_behind(run, target.sources, target.experiment))
    return Node(target.kind, str(target.path), facts, [*sources, *jobs])


def _source(run: Run, name: str, target: Target) -> Node:
    """Return a CSV file, and whether its rows are still those that were drawn."""
    facts = _csv_facts(run, name)
    drawn = target.origin.get("csv", {}).get(name)
    now = experiment_hash(run.folder, name, target.experiment)
    facts |= {"rows_sha256": now, "drawn": NOT_NOTED}
    if drawn:
        facts["drawn"] = SAME if drawn == now else CHANGED
    return Node("csv", str(run.folder / f"{name}.csv"), facts)


def _csv_facts(run: Run, name: str) -> dict[str, Any]:
    sha256 = file_hash(run.folder / f"{name}.csv")
    noted = run.manifest.get("csv", {}).get(name)
    state = NOT_NOTED if not noted else SAME if noted == sha256 else CHANGED
    return {"sha256": sha256, "manifest": state}


def _csv(target: Target, row: int | None, where: Mapping[str, str]) -> Node:
    """Return a CSV file or rows of it, and the jobs behind them: one job in full, or many."""
    run, name = target.run, target.name
    rows = select_rows(run.folder, name, row, where)
    names = jobs_of(run, name, rows)
    facts = _csv_facts(run, name) | {"rows": len(rows)}
    if row is not None or where:
        shown = rows.head(MOST_ROWS)
        facts["shown"] = {str(at): _filled(cells) for at, cells in shown.iterrows()}
    children = [_job(run, names[0], set())] if len(names) == 1 else _group(run, names)
    if len(names) == 1 and len(rows) == 1:
        facts["record"] = _stands_in(run, names[0], name, rows)
    return Node("csv", str(target.path), facts, children)


def _filled(row: pd.Series) -> dict[str, str]:
    return {column: cell for column, cell in row.items() if cell}


def _stands_in(run: Run, job: str, table: str, rows: pd.DataFrame) -> str:
    """Return whether the record on disk still holds a row of a CSV file."""
    path = run.folder / job
    if not path.is_file():
        return NOT_THERE
    held = read_json(path).get("rows", {}).get(table)
    if held is None:
        return "computed from several rows"
    due = list(rows.iloc[0])
    return SAME if any(TABLES[table].format_row(row) == due for row in held) else CHANGED


def _job(run: Run, name: str, seen: set[str], path: Path | None = None) -> Node:
    """Return a job in full, and the jobs whose artefacts it read."""
    if name in seen:
        return Node("again", name)
    seen.add(name)
    job = run.job(name)
    if job is None:
        return Node("job", name, {"status": "not in the manifest, no record on disk"})
    # Depth first, so that what stands further down is shown where it is first met.
    children = [_job(run, parent, seen) for parent in run.parents(job)]
    facts = _job_facts(run, name, job)
    if path is not None and not path.resolve().is_relative_to(run.folder.resolve()):
        sha256 = content_hash(path)
        kept = sha256 in job.get("artefacts", {}).values()
        facts["traced"] = {"path": str(path), "sha256": sha256, "state": SAME if kept else CHANGED}
    return Node("job", name, facts, children)


def _job_facts(run: Run, name: str, job: Job) -> dict[str, Any]:
    keys = (
        *("status", "reason", "rule", "config", "config_hash", "code_hash", "data_hash", "seeds"),
        *("threads", "device", "command", "log", "started", "ended", "environment"),
    )
    facts = {key: job[key] for key in keys if key in job}
    facts["code"] = state_of_code(job)
    facts["artefacts"] = _artefacts(run, job)
    facts["other_parents"] = _other_parents(run, job)
    return facts


def _artefacts(run: Run, job: Job) -> dict[str, dict[str, str]]:
    """Return path -> hash, and whether the file on disk still has it."""
    return {
        path: {"sha256": sha256, "state": _state(run.folder / path, sha256)}
        for path, sha256 in job.get("artefacts", {}).items()
    }


def _state(path: Path, sha256: str) -> str:
    if not path.is_file():
        return NOT_THERE
    try:
        return SAME if content_hash(path) == sha256 else CHANGED
    except PamError as error:
        return f"{CHANGED}: {error}"


def _other_parents(run: Run, job: Job) -> list[str]:
    """Return the parents of which their own jobs tell another hash: they were made anew since."""
    other = []
    for path, sha256 in job.get("parents", {}).items():
        maker = run.job(run.maker(path, job)) or {}
        if maker.get("artefacts", {}).get(path, sha256) != sha256:
            other.append(path)
    return other


def _group(run: Run, names: Sequence[str]) -> list[Node]:
    """Return many jobs in a line each, one group per rule, and a summary of what is behind."""
    groups = []
    for rule in RULES:
        cells = [name for name in names if run.jobs[name]["rule"] == rule]
        if cells:
            made = [Node("cell", name, _cell_facts(run, run.jobs[name])) for name in cells]
            groups.append(Node("group", rule, _summary(run, cells), made))
    behind = set().union(*(run.ancestors(name) for name in names)) - set(names)
    for rule in RULES[::-1]:
        known = [name for name in sorted(behind) if (run.job(name) or {}).get("rule") == rule]
        if known:
            groups.append(Node("group", rule, _summary(run, known)))
    unknown = [name for name in sorted(behind) if run.job(name) is None]
    if unknown:
        groups.append(Node("group", "unknown", {"jobs": len(unknown), "names": unknown}))
    return groups


def _cell_facts(run: Run, job: Job) -> dict[str, Any]:
    states = [held["state"] for held in _artefacts(run, job).values()]
    changed = [state for state in states if state.startswith(CHANGED)]
    keys = ("status", "reason", "config_hash", "code_hash", "started", "log")
    return {
        **{key: job[key] for key in keys if key in job},
        "code": state_of_code(job),
        "git": git_of(job),
        "host": job.get("environment", {}).get("host"),
        "kept": next(iter([*changed, *sorted(states)]), NOT_NOTED),
    }


def _summary(run: Run, names: Iterable[str]) -> dict[str, Any]:
    """Return how many jobs there are of every status, state of the code, commit and host."""
    jobs = [run.job(name) or {} for name in names]
    return {
        "jobs": len(jobs),
        "status": dict(Counter(job.get("status") for job in jobs)),
        "code": dict(Counter(state_of_code(job) for job in jobs)),
        "git": dict(Counter(git_of(job) for job in jobs)),
        "host": dict(Counter(job.get("environment", {}).get("host") for job in jobs)),
    }


def git_of(job: Job) -> str:
    """Return the commit that a job ran, and whether the tree had other changes."""
    git = job.get("environment", {}).get("git")
    if not git:
        return "no git"
    return f"git {(git['commit'] or 'no commit')[:12]} ({'dirty' if git['dirty'] else 'clean'})"
