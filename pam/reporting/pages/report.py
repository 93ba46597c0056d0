"""The report of a run: one HTML file with an explorer, which opens without a connection."""

import math
import re
from functools import cache
from pathlib import Path

import jinja2
import yaml

from pam.reporting.pages import report_tables
from pam.reporting.pages.explorer import embedded, explorer_data, library
from pam.reporting.run import NOTHING_STALE, Run, Stale
from pam.reporting.statistics.matched import REFERENCES
from pam.reporting.statistics.resources import duration, rule_times
from pam.reporting.tables.cells import brackets
from pam.reporting.tables.render import documents
from pam.reporting.tables.text_table import Document
from pam.reporting.verdict import verdicts

TEMPLATES = Path(__file__).parent / "templates"
CATEGORIES = {
    "summary": "Summary",
    "explorer": "Explorer",
    "tables": "Tables",
    "times": "Run times",
    "failures": "Failures",
    "provenance": "Provenance",
}
"""Anchor -> name of the report's parts, in order."""

_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")


def report_page(results: str | Path, stale: Stale = NOTHING_STALE) -> str:
    """Return the report of a run as HTML; the same files give the same page.

    Args:
        results: folder of the run: its CSV files and its manifest.
        stale: which rows are of earlier code; the page says so.

    Raises:
        DataError: if a file is missing or damaged.
    """
    run = Run(results, stale)
    tables: dict[str, dict[str, Document]] = {}
    for experiment, name, document in documents(run):
        tables.setdefault(experiment, {})[name] = document
    times = rule_times(run.table("resources"))
    script, style = (_template(name).render() for name in ("report.js", "report.css"))
    first, last = report_tables.span(run.manifest)
    data, seeds = explorer_data(run), run.manifest.config.get("seeds") or []
    return _template("report.html").render(
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
        experiments=report_tables.experiments(run),
        tables=tables,
        times=times,
        total=sum(time.total for time in times),
        slowest=report_tables.slowest_jobs(run),
        failures=report_tables.failures(run),
        origins=[report_tables.machines(run.manifest), report_tables.packages(run.manifest)],
        hashes=[
            report_tables.csv_files(run),
            report_tables.hashes(run.manifest),
            report_tables.jobs(run.manifest),
        ],
        config=yaml.safe_dump(run.manifest.config, sort_keys=False, allow_unicode=True),
    )


def order(text: str) -> str:
    """Return what a cell with a number is sorted by: the first number in it; ``nan`` stays last."""
    number = _NUMBER.search(text)
    if text.startswith("—") or number is None:
        return str(math.inf if text.startswith("∞") else math.nan)
    return number.group().replace(",", "").replace("−", "-")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is None or name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "order": order}
    return environment


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)
