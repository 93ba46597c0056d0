"""Figures of a run, drawn from its CSV files alone: one module per figure.

A module has ``SOURCES`` (the CSV files it reads), ``TITLE`` (what it shows, for lists of figures),
``NOTE`` (one line printed under the figure) and ``draw(folder, experiment)``, which returns a
matplotlib figure, or None where there is no data.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from pam.errors import ConfigError
from pam.files import write_json
from pam.reporting.names import file_stem
from pam.reporting.run import NOTHING_STALE, Run, Stale, origin_of, stale_notes
from pam.reporting.schema import TABLES
from pam.reporting.statistics.matched import OK
from pam.runs.paths import ORIGINS

FIGURES = (
    "frontier",
    "matched",
    "combinations",
    "groups",
    "information",
    "training",
    "relatedness",
    "exclusivity",
    "redundancy",
    "latency",
    "resources",
)


def render_figures(
    csv_folder: str | Path,
    out_folder: str | Path,
    only: Sequence[str] | None = None,
    stale: Stale = NOTHING_STALE,
) -> list[Path]:
    """Draw figures as PNG and SVG; the same CSV files give the same bytes.

    A file is called ``<figure>.png``, or ``<experiment>-<figure>.png`` where the run has several
    experiments. A figure for which there is no data is left out, with a warning if it was named.

    Args:
        csv_folder: where the CSV files of a run lie.
        out_folder: where the figures go.
        only: names of the figures to draw; all of :data:`FIGURES` by default.
        stale: which rows are of earlier code; their figures say so.

    Returns:
        The paths written.

    Raises:
        ConfigError: if ``only`` names an unknown figure.
        DataError: if a CSV file is missing or damaged.
    """
    from pam.reporting.figures import style

    modules = figure_modules()
    names = FIGURES if only is None else only
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise ConfigError(f"unknown figure '{unknown[0]}'; known: {', '.join(FIGURES)}")
    folder, out, paths = Path(csv_folder), Path(out_folder), []
    out.mkdir(parents=True, exist_ok=True)
    run = Run(folder, stale)
    known = run.experiments
    origins = {}
    for experiment in known:
        for name in names:
            module = modules[name]
            with style.house_style():
                figure = module.draw(folder, experiment)
                if figure is None:
                    if only is not None:
                        warnings.warn(f"no data for figure '{name}' of {experiment}", stacklevel=2)
                    continue
                source = style.source_hash(folder, module.SOURCES)
                n = n_seeds(run, experiment, module)
                where = f"{folder.resolve().name}/{experiment} · seeds: n = {n}"
                notes = stale_notes(stale, experiment, module.SOURCES)
                style.stamp(figure, module.NOTE, f"{where} · csv sha256 {source}", *notes)
                stem = file_stem(known, experiment, name)
                origin = origin_of(run, experiment, "figures", module.SOURCES)
                origins[stem] = {"figure": name, **origin}
                paths += style.save(figure, out / stem, origins[stem])
    if only is None:
        write_json(out / ORIGINS, origins)
    return paths


def n_seeds(run: Run, experiment: str, module: ModuleType) -> int:
    """Return how many seeds succeeded in what a figure shows."""
    own = module.SOURCES[0]
    name = own if "seed" in TABLES[own].columns else "measurements"
    # Where nothing is said of success, only what succeeded left rows.
    succeeded = {"status": OK} if "status" in TABLES[name].columns else {}
    return run.rows(name, experiment=experiment, **succeeded)["seed"].nunique()


def sources_of(figure: str) -> tuple[str, ...]:
    """Return the names of the CSV files that a figure is drawn from.

    Raises:
        ConfigError: if there is no figure of this name.
    """
    if figure not in FIGURES:
        raise ConfigError(f"unknown figure '{figure}'; known: {', '.join(FIGURES)}")
    return figure_modules()[figure].SOURCES


def figure_modules() -> dict[str, ModuleType]:
    """Return the module of every figure; imported late, because matplotlib takes its time."""
    # Spelled out, so that the hash of the figures' code follows every one of them.
    from pam.reporting.figures import (
        combinations,
        exclusivity,
        frontier,
        groups,
        information,
        latency,
        matched,
        redundancy,
        relatedness,
        resources,
        training,
    )

    return {
        "frontier": frontier,
        "matched": matched,
        "combinations": combinations,
        "groups": groups,
        "information": information,
        "training": training,
        "relatedness": relatedness,
        "exclusivity": exclusivity,
        "redundancy": redundancy,
        "latency": latency,
        "resources": resources,
    }
