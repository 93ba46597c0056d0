"""The figures of a run as parts of the report: embedded, with title, caption and n."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pam.errors import DataError
from pam.reporting.figures import FIGURES, figure_modules, n_seeds
from pam.reporting.names import file_stem
from pam.reporting.run import Run
from pam.reporting.storage import experiments

MAX_SVG_BYTES = 300_000
"""A larger drawing goes in as PNG, so that the page stays small and scrolls smoothly."""

_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        experiment: that it belongs to; empty for a picture that is no figure of the run.
        name: its file's name without suffix.
        title: what it shows.
        caption: how to read it; empty if not known.
        sources: names of the CSV files it is drawn from.
        n: number of seeds it rests on; None if not known.
        uri: the image as a ``data:`` address.
    """

    experiment: str
    name: str
    title: str
    caption: str
    sources: tuple[str, ...]
    n: int | None
    uri: str


def pictures(results: Path, figures: Path) -> list[Picture]:
    """Return all pictures in a folder: the figures of every experiment first, then others.

    Raises:
        DataError: if the folder or a CSV file is missing, or a picture cannot be read.
    """
    if not figures.is_dir():
        raise DataError(f"{figures} is no folder of figures; draw them first (pam figures)")
    stems = sorted({path.stem for path in figures.iterdir() if path.suffix in _TYPES})
    found = list(_known(results, figures, set(stems)))
    known = {picture.name for picture in found}
    others = [
        Picture("", stem, stem.replace("_", " "), "", (), None, _embedded(figures, stem))
        for stem in stems
        if stem not in known
    ]
    return found + others


def _known(results: Path, figures: Path, stems: set[str]) -> Iterator[Picture]:
    modules, run, names = figure_modules(), Run(results), experiments(results)
    for experiment in names:
        for figure in FIGURES:
            stem, module = file_stem(names, experiment, figure), modules[figure]
            if stem in stems:
                yield Picture(
                    experiment=experiment,
                    name=stem,
                    title=module.TITLE,
                    caption=module.NOTE,
                    sources=tuple(module.SOURCES),
                    n=n_seeds(run, experiment, module),
                    uri=_embedded(figures, stem),
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
