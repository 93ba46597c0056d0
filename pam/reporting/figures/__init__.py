"""Figures of a run, drawn from its CSV files alone: one module per figure.

A module has ``SOURCES`` (the CSV files it reads), ``TITLE`` (the question it answers), ``NOTE``
(how to read it) and ``draw(run, experiment)``, which returns a matplotlib figure, or None where
there is no data.
"""

import ctypes
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import TypeVar

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

Result = TypeVar("Result")

_PR_SET_PDEATHSIG = 1
_work: Callable | None = None


def render_figures(
    csv_folder: str | Path,
    out_folder: str | Path,
    only: Sequence[str] | None = None,
    stale: Stale = NOTHING_STALE,
    processes: int = 1,
) -> list[Path]:
    """Draw figures as PNG and SVG, of a reference run as PNG alone.

    The same CSV files give the same bytes.

    A file is called ``<figure>.png``, or ``<experiment>-<figure>.png`` where the run has several
    experiments. A figure for which there is no data is left out, with a warning if it was named.

    Args:
        csv_folder: folder of the run.
        out_folder: where the figures go.
        only: names of the figures to draw; None for all.
        stale: see :class:`pam.reporting.run.Run`.
        processes: how many draw at once.

    Raises:
        ConfigError: if ``only`` names an unknown figure.
        DataError: if a CSV file is missing or damaged.
    """
    from pam.reporting.figures import style

    names = FIGURES if only is None else only
    run, out, paths = Run(csv_folder, stale), Path(out_folder), []
    # Here, that no process reads them again.
    for source in dict.fromkeys(source for name in names for source in sources_of(name)):
        run.table(source)
    out.mkdir(parents=True, exist_ok=True)
    tasks = list(product(run.experiments, names))
    origins: dict[str, dict[str, object]] = {}
    with style.house_style():
        drawn = in_processes(partial(_draw, run, out), tasks, processes)
    for (experiment, name), figure in zip(tasks, drawn, strict=True):
        if figure:
            stem, origins[stem], files = figure
            paths += files
        elif only is not None:
            warnings.warn(f"no data for figure '{name}' of {experiment}", stacklevel=2)
    if only is None:
        write_json(out / ORIGINS, with_files(run, origins, paths))
    return paths


def _draw(
    run: Run, out: Path, experiment: str, name: str
) -> tuple[str, dict[str, object], list[Path]] | None:
    """Draw one figure; return its name, what it is drawn from and its files; None without data."""
    from pam.reporting.figures import style

    module, sources = figure_modules()[name], sources_of(name)
    figure = module.draw(run, experiment)
    if figure is None:
        return None
    made_from = f"csv sha256\N{NO-BREAK SPACE}{style.source_hash(run.folder, sources)}"
    n = n_seeds(run, experiment, module)
    where = f"{run.profile}/{experiment} · seeds: n = {n} · {made_from}"
    notes = module.notes(run, experiment) if hasattr(module, "notes") else []
    cited = run.citations(experiment, run.text_rows(sources[0], experiment=experiment))
    weights = [run.likely_in_words] if run.likely and "requests" in sources else []
    notes += [*weights, *cited, where, *stale_notes(run.stale, experiment, sources)]
    style.entitle(figure, module.TITLE, run.title(experiment))
    style.stamp(figure, module.NOTE, *notes)
    origin = {"figure": name, **origin_of(run, experiment, "figures", sources)}
    stem = file_stem(run.experiments, experiment, name)
    suffixes = ("png",) if is_reference(run.folder) else ("png", "svg")
    return stem, origin, style.save(figure, out / stem, origin, suffixes)


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


def in_processes(
    work: Callable[..., Result], tasks: Sequence[tuple], processes: int
) -> list[Result]:
    """Return ``work(*task)`` of every task, in their order.

    The processes share what this one holds in memory, so only tasks and results are copied. Where
    a system cannot do that safely (any but Linux), this process does all the work.
    """
    processes = min(processes, len(tasks))
    if processes < 2 or sys.platform != "linux":
        return [work(*task) for task in tasks]
    with ProcessPoolExecutor(processes, get_context("fork"), _begin, (work,)) as pool:
        return list(pool.map(_one, tasks))


def _begin(work: Callable) -> None:
    """Keep the work, leave Ctrl-C to the parent, and end with it."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _one(task: tuple) -> object:
    return _work(*task)
