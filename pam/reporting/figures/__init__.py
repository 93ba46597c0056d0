"""Figures of a run, drawn from its CSV files alone: one module per figure.

A module has ``SOURCES`` (the CSV files it reads), ``TITLE`` (the question it answers), ``NOTE``
(how to read it) and ``draw(run, experiment)``, which returns a matplotlib figure, or None where
there is no data.
"""

import warnings
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from types import ModuleType

from pam.errors import ConfigError
from pam.files import write_json
from pam.reporting.names import file_stem
from pam.reporting.run import NOTHING_STALE, Run, Stale, origin_of, stale_notes, with_files
from pam.reporting.schema import TABLES
from pam.reporting.statistics.matched import OK
from pam.reporting.storage import select
from pam.runs.paths import ORIGINS, is_reference

FIGURES = (
    *("ratios", "frontier", "tasks", "groups", "information", "training"),
    *("relatedness", "exclusivity", "redundancy", "latency", "resources", "sweeps"),
)


def render_figures(
    csv_folder: str | Path,
    out_folder: str | Path,
    only: Sequence[str] | None = None,
    stale: Stale = NOTHING_STALE,
) -> list[Path]:
    """Draw figures as PNG and SVG, of a reference run as PNG alone.

    The same CSV files give the same bytes.

    A file is called ``<figure>.png``, or ``<experiment>-<figure>.png`` where the run has several
    experiments. A figure for which there is no data is left out, with a warning if it was named.

    Raises:
        ConfigError: if ``only`` names an unknown figure.
        DataError: if a CSV file is missing or damaged.
    """
    from pam.reporting.figures import style

    names = FIGURES if only is None else only
    sources = {name: sources_of(name) for name in names}
    run, out, paths = Run(csv_folder, stale), Path(out_folder), []
    out.mkdir(parents=True, exist_ok=True)
    suffixes = ("png",) if is_reference(run.folder) else ("png", "svg")
    origins: dict[str, dict[str, object]] = {}
    with style.house_style():
        for experiment, name in product(run.experiments, names):
            module = figure_modules()[name]
            figure = module.draw(run, experiment)
            if figure is None:
                if only is not None:
                    warnings.warn(f"no data for figure '{name}' of {experiment}", stacklevel=2)
                continue
            n = n_seeds(run, experiment, module)
            source = style.source_hash(run.folder, sources[name])
            made_from = f"csv sha256\N{NO-BREAK SPACE}{source}"
            where = f"{run.profile}/{experiment} · seeds: n = {n} · {made_from}"
            notes = module.notes(run, experiment) if hasattr(module, "notes") else []
            notes += [where, *stale_notes(stale, experiment, sources[name])]
            style.entitle(figure, module.TITLE, run.title(experiment))
            style.stamp(figure, module.NOTE, *notes)
            origin = origin_of(run, experiment, "figures", sources[name])
            stem = file_stem(run.experiments, experiment, name)
            origins[stem] = {"figure": name, **origin}
            paths += style.save(figure, out / stem, origins[stem], suffixes)
    if only is None:
        write_json(out / ORIGINS, with_files(origins, paths))
    return paths


def n_seeds(run: Run, experiment: str, module: ModuleType) -> int:
    """Return how many seeds succeeded in what a figure shows."""
    own = module.SOURCES[0]
    name = own if "seed" in TABLES[own].columns else "measurements"
    # Where nothing is said of success, only what succeeded left rows.
    succeeded = {"status": OK} if "status" in TABLES[name].columns else {}
    return select(run.table(name), experiment=experiment, **succeeded)["seed"].nunique()


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
        exclusivity,
        frontier,
        groups,
        information,
        latency,
        ratios,
        redundancy,
        relatedness,
        resources,
        sweeps,
        tasks,
        training,
    )

    conditions = (relatedness, exclusivity, redundancy)
    modules = (ratios, frontier, tasks, groups, information, training, *conditions)
    return dict(zip(FIGURES, (*modules, latency, resources, sweeps), strict=True))
