"""The report of a run: one HTML file with an explorer, which opens without a connection."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import yaml

from pam.errors import DataError
from pam.files import file_hash
from pam.reporting.pages.explorer import embedded, explorer_data, library
from pam.reporting.run import NOTHING_STALE, Run, Stale
from pam.reporting.schema import TABLES
from pam.reporting.statistics.latency import duration, rule_times
from pam.reporting.statistics.matched import REFERENCES
from pam.reporting.tables import documents
from pam.reporting.tables.cell_text import brackets
from pam.reporting.tables.text_table import Document, TextTable
from pam.reporting.verdict import verdicts
from pam.runs.record import MANIFEST, Environment, Manifest

SLOWEST = 8
_SHORT = 12


def experiments(run: Run) -> TextTable:
    """Return what the configuration asked for, one row per experiment."""
    names, rows = run.names, []
    for name, section in run.manifest.config.get("experiments", {}).items():
        pruning = section.get("pruning", {})
        pruners = [
            f"{names.pruning(row)}: {_strengths(pruning[row])}"
            for row in names.order_prunings(pruning)
        ]
        mergers, related_by = (
            ", ".join(map(names.merging, names.order_mergings(section.get(key, {})))) or "–"
            for key in ("merging", "relatedness")
        )
        data = [names.dataset(section["dataset"]), names.architecture(section["architecture"])]
        tasks = ", ".join(section["tasks"])
        rows.append([name, *data, tasks, mergers, "; ".join(pruners) or "–", related_by])
    header = ["experiment", "data", "architecture", "tasks", "mergers", "pruners at strengths"]
    return _table("", [*header, "related by"], rows)


def _strengths(row: Mapping[str, Any]) -> str:
    path = row.get("path")
    if path:
        return f"path from {path['start']:g} on, networks at {path['cost_ratio']:g} of the cost"
    return ", ".join(f"{strength:g}" for strength in row.get("strengths") or [])


def slowest_jobs(run: Run) -> TextTable:
    """Return the jobs that took longest, the slowest first."""
    jobs = run.table("resources").sort_values("wall_s", ascending=False, kind="stable")
    rows = [
        [
            *(job["rule"], job["experiment"]),
            " + ".join(filter(None, (job["task"], job["merging"], job["pruning"]))),
            *(f"{job['seed']:.0f}", job["device"], job["host"]),
            *(f"{job['wall_s']:,.1f}", f"{job['peak_memory_mb']:,.0f}"),
        ]
        for job in jobs.head(SLOWEST).to_dict("records")
    ]
    header = ["rule", "experiment", "cell", "seed", "device", "host", "wall clock (s)", "peak MB"]
    return _table("The slowest jobs", header, rows, numbers=2)


def failures(run: Run) -> TextTable:
    """Return the cells that failed, with reasons and logs."""
    rows = run.text_table("failures").replace("", "–")
    return _table("", list(rows.columns), rows.to_numpy().tolist())


def csv_files(run: Run) -> TextTable:
    """Return the CSV files behind tables and figures: sha256, rows and size."""
    rows = []
    for name in TABLES:
        count, content = len(run.text_table(name)), (run.folder / f"{name}.csv").read_bytes()
        sha256, size = hashlib.sha256(content).hexdigest(), f"{len(content) / 1000:,.1f}"
        rows.append([f"{name}.csv", sha256, f"{count:,}", size])
    return _table("CSV files", ["file", "sha256", "rows", "kB"], rows, numbers=2)


def machines(manifest: Manifest) -> TextTable:
    """Return where the jobs ran and from which sources, one row per kind of machine."""
    kinds = (_machine(job.environment) for job in manifest.jobs.values())
    header = ["host", "processor", "cores", "device", "platform", "Python", "commit"]
    return _counted("Machines and sources", header, kinds)


def packages(manifest: Manifest) -> TextTable:
    """Return the versions of packages, and how many jobs ran with them."""
    versions = (
        (package, str(version or "not installed"))
        for job in manifest.jobs.values()
        for package, version in job.environment.packages.items()
    )
    return _counted("Packages", ["package", "version"], versions)


def hashes(manifest: Manifest) -> TextTable:
    """Return the hashes of code and data that jobs rest on, and how many jobs each."""
    rows = (
        (job.rule, job.code_hash[:_SHORT], job.data_hash[:_SHORT]) for job in manifest.jobs.values()
    )
    return _counted("Hashes of code and data", ["rule", "code", "data"], rows)


def jobs(manifest: Manifest) -> TextTable:
    """Return every job with its status, its hashes, and when and where it ended."""
    rows = [
        [
            *(name.removesuffix(".json"), job.status, job.config_hash[:_SHORT]),
            *(job.code_hash[:_SHORT], job.data_hash[:_SHORT]),
            *(job.environment.host or "–", job.ended),
        ]
        for name, job in manifest.jobs.items()
    ]
    header = ["job", "status", "configuration", "code", "data", "host", "ended"]
    return _table("All jobs", header, rows)


def span(manifest: Manifest) -> tuple[str, str]:
    """Return the dates (UTC) on which the first job started and the last one ended."""
    jobs = manifest.jobs.values()
    if not jobs:
        return "–", "–"
    return _date(min(job.started for job in jobs)), _date(max(job.ended for job in jobs))


def _date(stamp: str) -> str:
    try:
        return f"{datetime.fromisoformat(stamp):%d %B %Y, %H:%M}".lstrip("0")
    except ValueError:
        return stamp


def _table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0
) -> TextTable:
    """Return a table of words, of which the last ``numbers`` columns hold numbers."""
    return TextTable(title, header, rows, len(header) - numbers)


def _counted(title: str, header: Sequence[str], kinds: Iterable[tuple[str, ...]]) -> TextTable:
    """Return how many jobs there are of every kind."""
    rows = [[*kind, f"{count}"] for kind, count in sorted(Counter(kinds).items())]
    return _table(title, [*header, "jobs"], rows, numbers=1)


def _machine(environment: Environment) -> tuple[str, ...]:
    git = environment.git
    commit = "–" if git is None else f"{(git.commit or '–')[:_SHORT]}{' + changes' * git.dirty}"
    known = (environment.host, environment.cpu, environment.cores, environment.device)
    known += (environment.platform, environment.python)
    return (*(str(value or "–") for value in known), commit)


CATEGORIES = {
    "summary": "Summary",
    "explorer": "Explorer",
    "tables": "Tables",
    "times": "Run times",
    "failures": "Failures",
    "provenance": "Provenance",
}
"""Anchor -> name of the report's parts, in order."""

_SEAL = "<!-- sha256 of the page and its manifest: "
_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")


def order(text: str) -> str:
    """Return what a cell with a number is sorted by: the first number in it; ``nan`` stays last."""
    number = _NUMBER.search(text)
    if text.startswith("—") or number is None:
        return str(math.inf if text.startswith("∞") else math.nan)
    return number.group().replace(",", "").replace("−", "-")


_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"duration": duration, "order": order}


def report_page(results: str | Path, stale: Stale = NOTHING_STALE) -> str:
    """Return the report of a run as HTML; the same files give the same page.

    Raises:
        DataError: if a file is missing or damaged.
    """
    run = Run(results, stale)
    tables: dict[str, dict[str, Document]] = {}
    for experiment, name, document in documents(run):
        tables.setdefault(experiment, {})[name] = document
    times = rule_times(run.table("resources"))
    script, style = (_TEMPLATES.get_template(name).render() for name in ("report.js", "report.css"))
    first, last = span(run.manifest)
    data, seeds = explorer_data(run), run.manifest.config.get("seeds") or []
    page = _TEMPLATES.get_template("report.html").render(
        run=run.profile,
        categories=CATEGORIES,
        script=script,
        style=style,
        explorer=embedded(data) if data["experiments"] else "",
        library=library() if data["experiments"] else "",
        references=[run.names.merging(one) for one in REFERENCES],
        verdicts=verdicts(run),
        interval_note=brackets(len(seeds)),
        jobs=len(run.manifest.jobs),
        failed=sum(job.status != "ok" for job in run.manifest.jobs.values()),
        stale=list(dict.fromkeys(experiment for experiment, _ in stale)),
        first=first,
        last=last,
        seeds=seeds,
        experiments=experiments(run),
        tables=tables,
        times=[*times.itertuples()],
        total=times["total"].sum(),
        slowest=slowest_jobs(run),
        failures=failures(run),
        origins=[machines(run.manifest), packages(run.manifest)],
        hashes=[csv_files(run), hashes(run.manifest), jobs(run.manifest)],
        config=yaml.safe_dump(run.manifest.config, sort_keys=False, allow_unicode=True),
    )
    return f"{page}{_SEAL}{_seal(page, results)} -->\n"


def is_current(path: Path, results: str | Path) -> bool:
    """Tell whether a file is the page that was made of a run as it is now."""
    try:
        page, _, seal = path.read_text(encoding="utf-8").rpartition(_SEAL)
        return seal == f"{_seal(page, results)} -->\n"
    except (OSError, ValueError, DataError):
        return False


def _seal(page: str, results: str | Path) -> str:
    made_of = file_hash(Path(results) / MANIFEST)
    return hashlib.sha256(f"{page}{made_of}".encode()).hexdigest()
