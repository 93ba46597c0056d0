"""The report of a run: one HTML file that holds everything and asks the network for nothing."""

import base64
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from pam.errors import DataError
from pam.reporting.figures import FIGURES, figure_modules, n_seeds
from pam.reporting.names import file_stem
from pam.reporting.origins import NOTHING_STALE, Stale
from pam.reporting.pages import report_tables
from pam.reporting.run import Run
from pam.reporting.statistics.resources import duration, rule_times
from pam.reporting.tables.render import documents
from pam.reporting.tables.text_table import TextTable

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
    """One figure.

    Attributes:
        experiment: that it belongs to; :data:`OTHERS` for a picture that is no figure of the run.
        name: its file's name without suffix.
        title: what it shows.
        uri: the image as a ``data:`` address.
        caption: how to read it; empty if not known.
        sources: names of the CSV files it is drawn from.
        n: number of seeds it rests on; None if not known.
    """

    experiment: str
    name: str
    title: str
    uri: str
    caption: str = ""
    sources: tuple[str, ...] = ()
    n: int | None = None


@dataclass(frozen=True)
class Section:
    """What the report shows of one table document.

    Attributes:
        experiment: that it belongs to.
        name: of the table, as its files are called.
        title: one line.
        intro: what is shown and how it was measured.
        grids: its tables.
    """

    experiment: str
    name: str
    title: str
    intro: str
    grids: Sequence[TextTable]


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
    sections = [
        Section(experiment, name, document.title, document.intro, document.tables)
        for experiment, name, document in documents(run)
    ]
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
        main=[(one, one.grids[0]) for one in sections if one.name == MAIN_TABLE],
        figures=_by_experiment(pictures(run, Path(figures))),
        tables=_by_experiment(sections),
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
        config=report_tables.config_text(run.manifest),
    )


def pictures(run: Run, folder: Path) -> list[Picture]:
    """Return all pictures in a folder: the figures of every experiment first, then others.

    Raises:
        DataError: if the folder or a CSV file is missing, or a picture cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of figures; draw them first (pam figures)")
    stems = sorted({path.stem for path in folder.iterdir() if path.suffix in _TYPES})
    figures = list(_figures(run, folder, stems))
    others = sorted({*stems} - {picture.name for picture in figures})
    return figures + [
        Picture(OTHERS, stem, stem.replace("_", " "), _embedded(folder, stem)) for stem in others
    ]


def _figures(run: Run, folder: Path, stems: Sequence[str]) -> Iterator[Picture]:
    modules = figure_modules()
    for experiment in run.experiments:
        for figure in FIGURES:
            stem, module = file_stem(run.experiments, experiment, figure), modules[figure]
            if stem in stems:
                yield Picture(
                    experiment=experiment,
                    name=stem,
                    title=module.TITLE,
                    uri=_embedded(folder, stem),
                    caption=module.NOTE,
                    sources=tuple(module.SOURCES),
                    n=n_seeds(run, experiment, module),
                )


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


def _by_experiment(parts: Sequence[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for part in parts:
        grouped.setdefault(part.experiment, []).append(part)
    return grouped


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
