"""``pam plan``: the jobs that a configuration asks for, and about how long they will take."""

from argparse import Namespace
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from pam.config import Config, check_plugins, load_config
from pam.data.registry import DataSize, expected_size
from pam.data.store import prepared_size
from pam.reporting.tables.text_table import TextTable
from pam.runs.cells import Cell, all_cells
from pam.runs.paths import Paths
from pam.runs.stages import CELL_STAGES
from pam.stages.planning import PATH_END, PATH_GROWTH, PATH_REDUCTION, STAGES, Machine, Plan, Work

MICRO, TERA, PETA = 1e-6, 1e12, 1e15
HOUR = 3600.0
UNKNOWN = "unknown"
# Of a data-centre GPU, which batches of 32 small images do not fill, and of one CPU core, on which
# they fit the jobs of the reference runs.
SUSTAINED_TFLOPS = {"GPU": 10.0, "CPU": 0.03}
LAUNCH_MICROSECONDS = {"GPU": 100.0, "CPU": 150.0}
JOB_SECONDS = 3.0


def run(arguments: Namespace) -> int:
    """Print jobs and estimate; nothing is computed, and nothing written."""
    config = load_config(arguments.config, arguments.seeds)
    check_plugins(config)
    processor = "CPU" if config.device == "cpu" else "GPU"
    rate = arguments.rate or SUSTAINED_TFLOPS[processor]
    launch = arguments.launch_us or LAUNCH_MICROSECONDS[processor]
    results = arguments.results or Paths(f"results/{Path(arguments.config).stem}").results
    machine = Machine(rate * TERA, launch * MICRO, JOB_SECONDS)
    sizes: dict[str, DataSize] = {}
    plans: dict[str, Plan | None] = dict.fromkeys(config.experiments)
    for name, made in config.experiments.items():
        folder = Paths(results).folder(Cell.of("prepare", name))
        prepared = prepared_size(folder, made.dataset, made.data)
        size = sizes[name] = prepared or expected_size(made.dataset, made.data)
        if size.input_shape is not None and size.training_images is not None:
            plans[name] = Plan(config, name, size.input_shape, size.training_images, machine)
    assumed = f"{rate:g} TFLOP/s, {launch:g} µs an operation of a step and {JOB_SECONDS:g} s a job"
    print(jobs_table(config).to_markdown())
    print(hours_table(plans, sizes, processor, assumed).to_markdown(), end="")
    return 0


def jobs_table(config: Config) -> TextTable:
    """Return the number of jobs per experiment and stage."""
    counts = Counter((cell.stage, cell.experiment) for cell in all_cells(config))
    totals = Counter(cell.stage for cell in all_cells(config))
    rows = [
        [name, *(str(counts[stage, name]) for stage in CELL_STAGES)] for name in config.experiments
    ]
    total = ["sum", *(str(totals[stage]) for stage in CELL_STAGES)]
    return TextTable("Jobs", ["experiment", *CELL_STAGES], [*rows, total], labels=1)


def hours_table(
    plans: dict[str, Plan | None], sizes: dict[str, DataSize], processor: str, assumed: str
) -> TextTable:
    """Return the estimate of every experiment and stage, and its assumptions."""
    rows, total = [], dict.fromkeys(STAGES, Work())
    for name, plan in plans.items():
        images, shape = sizes[name].training_images, sizes[name].input_shape
        data = [UNKNOWN if images is None else f"{images:,}"]
        data.append(UNKNOWN if shape is None else " x ".join(map(str, shape)))
        if plan is None:
            rows.append([name, *data, *[UNKNOWN] * (len(STAGES) + 2)])
            continue
        stages = plan.stages()
        total = {stage: total[stage] + work for stage, work in stages.items()}
        rows.append([name, *data, *_estimates(stages)])
    rows.append(["sum", "", "", *_estimates(total)])
    header = ["experiment", "training images", "input", *STAGES, f"{processor} hours", "PFLOP"]
    unknown = [name for name, plan in plans.items() if plan is None]
    return TextTable(
        f"Estimated {processor} hours",
        header,
        rows,
        labels=1,
        notes=_notes(processor, assumed, unknown),
    )


def _notes(processor: str, assumed: str, unknown: list[str]) -> list[str]:
    hours = "hours of one core" if processor == "CPU" else "hours of one GPU"
    notes = [
        f"An estimate, nothing was measured: {hours} at {assumed} (--rate, --launch-us).",
        "Work: training images x epochs x multiply-accumulates x 3 (forward and backward) x 2.",
        "Ranges go from the cheapest to the dearest network that a merger may make. Of a list of "
        "strengths every network counts with its size before pruning, so pruning takes less. Of a "
        f"path the last network is taken to be {PATH_REDUCTION:g} times cheaper than the first, "
        f"and a growing strength to come to {PATH_END:g}, or to {PATH_GROWTH:g} times the first.",
        "Not counted: making data, validation, a merger's search, steps between pruning events, "
        "measuring, relating and analysing beyond retraining.",
    ]
    if unknown:
        notes.append(
            f"Left out of the sums: {', '.join(unknown)}, until `pam prepare` has made the data."
        )
    return notes


def _estimates(stages: dict[str, Work]) -> list[str]:
    """Return hours per stage, hours in all, and PFLOP in all."""
    everything = sum(stages.values(), Work())
    hours = [_span(work.seconds / HOUR) for work in (*stages.values(), everything)]
    return [*hours, _span(everything.flops / PETA)]


def _span(ends: ArrayLike) -> str:
    return "–".join(dict.fromkeys(map(_number, np.ravel(ends))))


def _number(value: float) -> str:
    """Return a number with about two significant digits."""
    if 0 < value < 0.01:
        return "<0.01"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
