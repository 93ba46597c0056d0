"""What was run and where it comes from: configuration, machines, files and hashes."""

import hashlib
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from pam.reporting.manifest import Environment, Job, Manifest
from pam.reporting.names import (
    architecture_name,
    dataset_name,
    merging_name,
    order_mergings,
    order_prunings,
    pruning_name,
)
from pam.reporting.pages.report.grids import Grid, plain_grid
from pam.reporting.schema import TABLES
from pam.reporting.storage import read_text_table

_SHORT = 12


def experiments_grid(manifest: Manifest) -> Grid:
    """Return what the configuration asked for, one row per experiment."""
    rows = []
    for name, made in _sections(manifest.config.get("experiments")).items():
        merging, pruning = (_sections(made.get(key)) for key in ("merging", "pruning"))
        relatedness = _sections(made.get("relatedness"))
        rows.append(
            [
                name,
                dataset_name(str(made.get("dataset"))),
                architecture_name(str(made.get("architecture"))),
                ", ".join(map(str, made.get("tasks") or [])),
                ", ".join(map(merging_name, order_mergings(merging))) or "–",
                "; ".join(_pruning(row, pruning[row]) for row in order_prunings(pruning)) or "–",
                ", ".join(map(merging_name, order_mergings(relatedness))) or "–",
            ]
        )
    header = ["experiment", "data", "architecture", "tasks", "mergers", "pruners at strengths"]
    return plain_grid("", [*header, "related by"], rows)


def config_text(manifest: Manifest) -> str:
    """Return the whole configuration as YAML, defaults included."""
    return yaml.safe_dump(manifest.config, sort_keys=False, allow_unicode=True)


def machines_grid(manifest: Manifest) -> Grid:
    """Return where the jobs ran and from which sources, one row per kind of machine."""
    kinds = Counter(_machine(job.environment) for job in manifest.jobs.values())
    rows = [[*machine, str(jobs)] for machine, jobs in kinds.most_common()]
    header = ["host", "processor", "cores", "device", "platform", "Python", "commit", "jobs"]
    return plain_grid("Machines and sources", header, rows, ["jobs"])


def packages_grid(manifest: Manifest) -> Grid:
    """Return the versions of packages, and how many jobs ran with them."""
    versions = Counter(
        (package, str(version or "not installed"))
        for job in manifest.jobs.values()
        for package, version in job.environment.packages.items()
    )
    rows = [[*version, str(jobs)] for version, jobs in sorted(versions.items())]
    return plain_grid("Packages", ["package", "version", "jobs"], rows, ["jobs"])


def code_grid(manifest: Manifest) -> Grid:
    """Return the hashes of code and data that jobs rest on, and how many jobs each."""
    found = Counter(
        (job.rule, job.code_hash[:_SHORT], job.data_hash[:_SHORT]) for job in manifest.jobs.values()
    )
    rows = [[*hashes, str(jobs)] for hashes, jobs in sorted(found.items())]
    return plain_grid("Hashes of code and data", ["rule", "code", "data", "jobs"], rows, ["jobs"])


def jobs_grid(manifest: Manifest) -> Grid:
    """Return every job with its status, its hashes, and when and where it ended."""
    rows = [
        [
            name.removesuffix(".json"),
            job.status,
            job.config_hash[:_SHORT],
            job.code_hash[:_SHORT],
            job.data_hash[:_SHORT],
            job.environment.host or "–",
            job.ended,
        ]
        for name, job in manifest.jobs.items()
    ]
    header = ["job", "status", "configuration", "code", "data", "host", "ended"]
    return plain_grid("All jobs", header, rows)


def files_grid(results: Path) -> Grid:
    """Return the CSV files behind tables and figures: rows, size and sha256.

    Raises:
        DataError: if one is missing or damaged.
    """
    rows = []
    for name in TABLES:
        count = len(read_text_table(results, name))
        content = (results / f"{name}.csv").read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        rows.append([f"{name}.csv", f"{count:,}", f"{len(content) / 1000:,.1f}", sha256])
    return plain_grid("CSV files", ["file", "rows", "kB", "sha256"], rows, ["rows", "kB"])


def failures_grid(results: Path) -> Grid:
    """Return the cells that failed, with reasons and logs.

    Raises:
        DataError: if ``failures.csv`` is missing or damaged.
    """
    failures = read_text_table(results, "failures")
    rows = [[text or "–" for text in row] for row in failures.itertuples(index=False)]
    return plain_grid("", list(failures.columns), rows)


def span(manifest: Manifest) -> tuple[str, str]:
    """Return the dates (UTC) on which the first job started and the last one ended."""
    jobs: list[Job] = list(manifest.jobs.values())
    if not jobs:
        return "–", "–"
    return _date(min(job.started for job in jobs)), _date(max(job.ended for job in jobs))


def _date(stamp: str) -> str:
    try:
        return f"{datetime.fromisoformat(stamp):%d %B %Y, %H:%M}".lstrip("0")
    except ValueError:
        return stamp


def _pruning(name: str, row: dict[str, Any]) -> str:
    strengths = ", ".join(f"{s:g}" for s in row.get("strengths") or [])
    return f"{pruning_name(name)}: {strengths}"


def _sections(value: Any) -> dict[str, dict[str, Any]]:
    """Return the entries of a mapping that are mappings themselves."""
    entries = value.items() if isinstance(value, dict) else ()
    return {str(name): entry for name, entry in entries if isinstance(entry, dict)}


def _machine(environment: Environment) -> tuple[str, ...]:
    git = environment.git
    commit = "–" if git is None else f"{(git.commit or '–')[:_SHORT]}{' + changes' * git.dirty}"
    known = (environment.host, environment.cpu, environment.cores, environment.device)
    known += (environment.platform, environment.python)
    return (*(str(value or "–") for value in known), commit)
