"""The report of a run: one HTML file that holds everything and asks the network for nothing."""

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
import yaml

from pam.errors import DataError
from pam.reporting.figures import FIGURES, figure_modules, n_seeds
from pam.reporting.names import file_stem
from pam.reporting.pages import report_tables
from pam.reporting.run import NOTHING_STALE, Run, Stale
from pam.reporting.statistics.resources import duration, rule_times
from pam.reporting.tables.render import documents
from pam.reporting.tables.text_table import Document

TEMPLATES = Path(__file__).parent / "templates"
CATEGORIES = {
    "summary": "Summary",
    "figures": "Figures",
    "tables": "Tables",
    "times": "Run times",
    "failures": "Failures",
    "provenance": "Provenance",
}
"""Anchor -> name of the report's parts, in order."""

OTHERS = "other pictures"
MAIN_TABLE = "comparison"
MAX_SVG_BYTES = 300_000
"""A larger drawing goes in as PNG, so that the page stays small and scrolls smoothly."""

_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Picture:
    """One figure: stem of its file, what it shows, and the image as a ``data:`` address.

    Of a figure that is no other picture: how to read it, the CSV files it is drawn from, its seeds.
    """

    name: str
    title: str
    uri: str
    caption: str = ""
    sources: tuple[str, ...] = ()
    n: int | None = None


def report_page(results: str | Path, figures: str | Path, stale: Stale = NOTHING_STALE) -> str:
    """Return the report of a run as HTML; the same files give the same page.

    Args:
        results: folder of the run: its CSV files and its manifest.
        figures: folder of its figures (SVG, PNG).
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
    return _template("report.html").render(
        run=run.profile,
        categories=CATEGORIES,
        script=script,
        style=style,
        script_hash=_source_hash(script),
        style_hash=_source_hash(style),
        jobs=len(run.manifest.jobs),
        failed=sum(job.status != "ok" for job in run.manifest.jobs.values()),
        stale=list(dict.fromkeys(experiment for experiment, _ in stale)),
        first=first,
        last=last,
        seeds=run.manifest.config.get("seeds") or [],
        experiments=report_tables.experiments(run),
        main={one: parts[MAIN_TABLE] for one, parts in tables.items() if MAIN_TABLE in parts},
        figures=pictures(run, Path(figures)),
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


def pictures(run: Run, folder: Path) -> dict[str, list[Picture]]:
    """Return the figures of every experiment, then :data:`OTHERS`, the other pictures in a folder.

    Raises:
        DataError: if the folder or a CSV file is missing, or a picture cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of figures; draw them first (pam figures)")
    stems = sorted({path.stem for path in folder.iterdir() if path.suffix in _TYPES})
    modules = figure_modules()
    shown: dict[str, list[Picture]] = {}
    for experiment in run.experiments:
        for figure in FIGURES:
            stem, module = file_stem(run.experiments, experiment, figure), modules[figure]
            if stem not in stems:
                continue
            stems.remove(stem)
            n, uri = n_seeds(run, experiment, module), _embedded(folder, stem)
            picture = Picture(stem, module.TITLE, uri, module.NOTE, module.SOURCES, n)
            shown.setdefault(experiment, []).append(picture)
    others = [Picture(stem, stem.replace("_", " "), _embedded(folder, stem)) for stem in stems]
    return shown | ({OTHERS: others} if others else {})


def _embedded(folder: Path, stem: str) -> str:
    """Return a picture as a data address: the drawing, or the PNG beside it if that is too big."""
    drawing, png = (folder / f"{stem}{suffix}" for suffix in (".svg", ".png"))
    try:
        fits = drawing.is_file() and (drawing.stat().st_size <= MAX_SVG_BYTES or not png.is_file())
        path = drawing if fits else png
        content = base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
    return f"data:{_TYPES[path.suffix]};base64,{content}"


def _source_hash(text: str) -> str:
    """Return what the page's content policy knows its own script and style by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


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
