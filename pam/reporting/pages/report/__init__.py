"""The report of a run: one HTML file that holds everything and asks the network for nothing."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

import jinja2

from pam.reporting.manifest import Manifest, read_manifest
from pam.reporting.pages.report.grids import Grid, grid_of
from pam.reporting.pages.report.origin import (
    code_grid,
    config_text,
    experiments_grid,
    failures_grid,
    files_grid,
    jobs_grid,
    machines_grid,
    packages_grid,
    span,
)
from pam.reporting.pages.report.pictures import Picture, pictures
from pam.reporting.pages.report.times import rule_bars, slowest_jobs
from pam.reporting.pages.report.workflow import BOX, workflow_drawing
from pam.reporting.staleness import NOTHING_STALE, Stale
from pam.reporting.statistics.resources import duration
from pam.reporting.tables.render import documents

TEMPLATES = Path(__file__).parent / "templates"
CATEGORIES = {
    "summary": "Summary",
    "figures": "Figures",
    "tables": "Tables",
    "workflow": "Workflow",
    "failures": "Failures",
    "provenance": "Provenance",
}
"""Anchor -> name of the report's parts, in order."""

OTHERS = "other pictures"
MAIN_TABLE = "comparison"


@dataclass(frozen=True)
class Section:
    """What the report shows of one table document.

    Attributes:
        experiment: that it belongs to.
        name: of the table, as its files are called.
        title: one line.
        intro: what is shown and how it was made.
        grids: its tables.
    """

    experiment: str
    name: str
    title: str
    intro: str
    grids: list[Grid] = field(default_factory=list)


def report_page(results: str | Path, figures: str | Path, stale: Stale = NOTHING_STALE) -> str:
    """Return the report of a run as HTML; the same files give the same page.

    Args:
        results: folder of the run: its CSV files and its manifest.
        figures: folder of its figures (SVG, PNG).
        stale: what of it is no longer of the code as it is; the page says so.

    Raises:
        DataError: if a file is missing or damaged.
    """
    results, figures = Path(results), Path(figures)
    manifest = read_manifest(results)
    sections = [
        Section(experiment, name, made.title, made.intro, [grid_of(one) for one in made.tables])
        for experiment, name, made in documents(results, stale)
    ]
    script, style = (_template(name).render() for name in ("report.js", "report.css"))
    first, last = span(manifest)
    times = rule_bars(results)
    return _template("report.html").render(
        run=results.resolve().name,
        categories=CATEGORIES,
        script=script,
        style=style,
        script_hash=_source_hash(script),
        style_hash=_source_hash(style),
        counts=_counts(manifest),
        stale=list(dict.fromkeys(experiment for experiment, _ in stale)),
        first=first,
        last=last,
        seeds=manifest.config.get("seeds") or [],
        experiments=experiments_grid(manifest),
        main=[(one, one.grids[0]) for one in sections if one.name == MAIN_TABLE and one.grids],
        figures=_by_experiment(pictures(results, figures)),
        tables=_by_experiment(sections),
        drawing=workflow_drawing(manifest),
        box=BOX,
        times=times,
        total=sum(time.total for time, _ in times),
        slowest=slowest_jobs(results),
        failures=failures_grid(results),
        origins=[machines_grid(manifest), packages_grid(manifest)],
        hashes=[files_grid(results), code_grid(manifest), jobs_grid(manifest)],
        config=config_text(manifest),
    )


def _by_experiment(parts: Iterable[Picture] | Iterable[Section]) -> dict[str, list]:
    found: dict[str, list] = {}
    for part in chain(parts):
        found.setdefault(part.experiment or OTHERS, []).append(part)
    return found


def _counts(manifest: Manifest) -> dict[str, int]:
    """Return how many jobs there were, and how many of them failed."""
    failed = sum(job.status != "ok" for job in manifest.jobs.values())
    return {"jobs": len(manifest.jobs), "failed": failed}


def _source_hash(text: str) -> str:
    """Return what the page's content policy knows its own script and style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is None or name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration}
    return environment


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)
