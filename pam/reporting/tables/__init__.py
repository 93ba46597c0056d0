"""The tables of a run, each as CSV (numbers), Markdown (to read) and LaTeX (to print)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pam.files import write_json, write_text
from pam.reporting.names import file_stem
from pam.reporting.run import NOTHING_STALE, Run, Stale, origin_of, stale_notes, with_files
from pam.reporting.schema import TABLES
from pam.reporting.tables import analyses, networks, overviews
from pam.reporting.tables.cell_text import explained
from pam.reporting.tables.comparison import comparison
from pam.reporting.tables.text_table import Document
from pam.runs.paths import ORIGINS

Builder = Callable[[Run, str], Document | None]

_TABLES: dict[Builder, tuple[str, ...]] = {
    comparison: (
        *("measurements", "matched", "requests", "frontiers", "operating_points", "training"),
        "failures",
    ),
    overviews.sensitivity: ("matched", "requests", "measurements", "failures"),
    networks.operating_points: ("operating_points", "measurements", "failures"),
    overviews.headline: ("headline", "measurements"),
    analyses.relatedness: ("relatedness",),
    analyses.exclusivity: ("exclusivity", "operating_points"),
    analyses.redundancy: ("redundancy",),
    overviews.latency: ("latency", "operating_points"),
    overviews.resources: ("resources",),
}

SOURCES = {build.__name__: sources for build, sources in _TABLES.items()}
"""Name of a table -> the CSV files that it is made from."""


def documents(run: Run) -> Iterator[tuple[str, str, Document]]:
    """Yield (experiment, table name, document) of every table of a run that has rows."""
    for experiment in run.experiments:
        for build in _TABLES:
            name, document = build.__name__, build(run, experiment)
            if document is None:
                continue
            document = explained(document, run, experiment)
            # A table without a CSV file of its own name is made of matched costs.
            notes = stale_notes(run.stale, experiment, [name if name in TABLES else "matched"])
            notes += run.citations(experiment, document.numbers)
            intro = " ".join([document.intro, *(f"{note}." for note in notes)])
            yield experiment, name, replace(document, intro=intro)


def render_tables(
    folder: str | Path, out_folder: str | Path | None = None, stale: Stale = NOTHING_STALE
) -> list[Path]:
    """Write every table of a run as csv, md and tex, and beside them what each is made from.

    A table for which there are no rows is left out. A file is called ``<table>.md``, or
    ``<experiment>-<table>.md`` where the run has several experiments.
    """
    run = Run(folder, stale)
    out, paths = Path(out_folder or run.folder / "tables"), []
    out.mkdir(parents=True, exist_ok=True)
    origins = {}
    for experiment, name, document in documents(run):
        stem = file_stem(run.experiments, experiment, name)
        origin = origin_of(run, experiment, "tables", SOURCES[name])
        origins[stem] = {"table": name, **origin}
        texts = {
            "csv": document.numbers.to_csv(index=False, lineterminator="\n"),
            "md": document.to_markdown(),
            "tex": document.to_latex(),
        }
        for suffix, text in texts.items():
            paths.append(out / f"{stem}.{suffix}")
            write_text(paths[-1], text)
    write_json(out / ORIGINS, with_files(run, origins, paths))
    return paths
