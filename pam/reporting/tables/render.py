"""The tables of a run, each as CSV (numbers), Markdown (to read) and LaTeX (to print)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pam.files import write_json, write_text
from pam.reporting.names import file_stem
from pam.reporting.schema import TABLES
from pam.reporting.sources import origin_of
from pam.reporting.staleness import NOTHING_STALE, Stale, stale_notes
from pam.reporting.statistics.exclusivity import exclusivity
from pam.reporting.statistics.redundancy import redundancy
from pam.reporting.statistics.relatedness import relatedness
from pam.reporting.statistics.resources import resources
from pam.reporting.storage import experiments
from pam.reporting.tables.comparison import comparison
from pam.reporting.tables.failed import explained
from pam.reporting.tables.latency import speed_ups
from pam.reporting.tables.overviews import headline, operating_points, sensitivity
from pam.reporting.tables.text_table import Document

_TABLES: dict[str, Callable[[Path, str], Document | None]] = {
    "comparison": comparison,
    "sensitivity": sensitivity,
    "operating_points": operating_points,
    "headline": headline,
    "relatedness": relatedness,
    "exclusivity": exclusivity,
    "redundancy": redundancy,
    "latency": speed_ups,
    "resources": resources,
}

SOURCES = {
    "comparison": ("measurements", "matched", "matched_sizes", "failures"),
    "sensitivity": ("matched", "measurements", "failures"),
    "operating_points": ("operating_points", "measurements", "failures"),
    "headline": ("headline", "measurements"),
    "relatedness": ("relatedness",),
    "exclusivity": ("exclusivity", "operating_points"),
    "redundancy": ("redundancy",),
    "latency": ("latency", "operating_points"),
    "resources": ("resources",),
}
"""The CSV files that each table is made from."""

ORIGINS = "origins.json"

TABLE_NAMES = tuple(_TABLES)


def documents(
    folder: str | Path, stale: Stale = NOTHING_STALE
) -> Iterator[tuple[str, str, Document]]:
    """Yield (experiment, table name, document) of every table of a run that has rows.

    Args:
        folder: where the CSV files of the run lie.
        stale: what of it is no longer of the code and configuration as they are; tables say so.

    Raises:
        DataError: if a CSV file is missing or damaged.
    """
    folder = Path(folder)
    for experiment in experiments(folder):
        for name, build in _TABLES.items():
            document = build(folder, experiment)
            if document is None:
                continue
            document = explained(document, folder, experiment)
            # A table without a CSV file of its own name is made of matched costs.
            notes = stale_notes(stale, experiment, [name if name in TABLES else "matched"])
            intro = " ".join([document.intro, *(f"{note}." for note in notes)])
            yield experiment, name, replace(document, intro=intro)


def render_tables(
    folder: str | Path, out_folder: str | Path | None = None, stale: Stale = NOTHING_STALE
) -> list[Path]:
    """Write every table of a run as csv, md and tex, and beside them what each is made from.

    A table for which there are no rows is left out. A file is called ``<table>.md``, or
    ``<experiment>-<table>.md`` where the run has several experiments.

    Args:
        folder: where the CSV files of the run lie.
        out_folder: where the tables go; ``<folder>/tables`` by default.
        stale: which rows are of earlier code; their tables say so in their introduction.

    Returns:
        The paths written.

    Raises:
        DataError: if a CSV file is missing or damaged.
    """
    folder = Path(folder)
    out, paths = Path(out_folder or folder / "tables"), []
    out.mkdir(parents=True, exist_ok=True)
    origins = {}
    known = experiments(folder)
    for experiment, name, document in documents(folder, stale):
        stem = file_stem(known, experiment, name)
        origin = origin_of(folder, experiment, "tables", SOURCES[name])
        origins[stem] = {"table": name, **origin}
        texts = {
            "csv": document.numbers.to_csv(index=False, lineterminator="\n"),
            "md": document.to_markdown(),
            "tex": document.to_latex(),
        }
        for suffix, text in texts.items():
            paths.append(out / f"{stem}.{suffix}")
            write_text(paths[-1], text)
    write_json(out / ORIGINS, origins)
    return paths
