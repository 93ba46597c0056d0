"""The tables beside the main one: other deltas, largest factors, time."""

import math
from collections.abc import Iterator

import pandas as pd

from pam.reporting.names import ANY_REQUEST, Names, backend_name, order_combinations, pooled
from pam.reporting.run import Run
from pam.reporting.schema import INTEGER, TEXT, Table
from pam.reporting.statistics.latency import (
    RATIOS,
    SETTING,
    TIME,
    UNSTEADY_NOTE,
    default_points,
    rule_times,
    speed_ups,
    timed_on,
)
from pam.reporting.statistics.matched import DEFAULT_DELTA, FAILED, NOT_REACHED, REFERENCES
from pam.reporting.statistics.pruning_path import REQUIREMENTS
from pam.reporting.storage import select
from pam.reporting.tables.cell_text import (
    DASHES,
    NO_NETWORK,
    Lookup,
    Row,
    baseline,
    brackets,
    cost_cell,
    factor_cell,
    fewer,
    interval,
    noted_table,
    number,
    ratio_cell,
)
from pam.reporting.tables.comparison import AXES, expected_costs
from pam.reporting.tables.networks import RULE
from pam.reporting.tables.text_table import Document, TextTable

_ESTIMATES = [TIME, *(f"{cost}_vs_{reference}" for cost, reference in RATIOS)]

SPEED_UPS = Table(
    "speed_ups",
    {"experiment": TEXT, "pruning": TEXT, "delta": 2, "merging": TEXT, "combination": TEXT}
    | {"threads": INTEGER, "backend": TEXT, "batch_size": INTEGER, "n": INTEGER}
    | {f"{name}_{part}": 4 for name in _ESTIMATES for part in ("mean", "low", "high")},
    ("experiment", "pruning", "merging", "combination", *SETTING),
)
"""What the table's CSV file holds; ``_vs_none``: how many times less than B1 a network costs."""


def sensitivity(run: Run, experiment: str) -> Document | None:
    """Return how the comparison depends on delta, and on whether the mean or the worst task counts.

    Of more than two tasks, by how many tasks run.
    """
    matched = run.rows("matched", experiment=experiment)
    if matched.empty:
        return None
    rows = expected_costs(run, experiment=experiment)
    if matched["combination"].nunique() <= 3:
        rows = pd.concat([matched, select(rows, combination=ANY_REQUEST)])
    n = int(matched["n"].max())
    tables = [
        table
        for requirement in REQUIREMENTS
        for table in _by_delta(run.names, select(rows, requirement=requirement), requirement, n)
    ]
    return Document(
        title=f"{run.title(experiment)}: how the comparison depends on δ",
        intro="δ is the loss of validation accuracy, in percentage points below the single-task "
        "networks, at which the mergers are compared: of the tasks' mean, or of the worst task "
        f"(the largest of the fitted losses). {brackets(n)}",
        tables=tables,
        numbers=run.text_rows("matched", experiment=experiment),
    )


def _by_delta(names: Names, matched: pd.DataFrame, requirement: str, n: int) -> list[TextTable]:
    """Return costs and ratios at every delta, a row per pruning, combination and merger."""
    lookup = Lookup(names, matched, [*AXES, "delta"])
    deltas, prunings, costs, ratios = lookup.values("delta"), lookup.values("pruning"), [], []
    for pruning, combination, merging in lookup.places(*AXES):
        rows = lookup.all(*((pruning, combination, merging, delta) for delta in deltas))
        labels = [names.pruning(pruning), combination, names.merging(merging)]
        costs.append([*labels, *(cost_cell(row, n) for row in rows)])
        beside = names.beside(pruning, prunings)
        bases = {
            reference: lookup.all(*((beside, combination, reference, delta) for delta in deltas))
            for reference in REFERENCES
        }
        if (merging, pruning) != (REFERENCES[0], beside):
            cells = [
                "1"
                if (merging, pruning) == (reference, beside)
                else ratio_cell(row, base, f"flops_vs_{reference}")
                for reference in REFERENCES
                for row, base in zip(rows, bases[reference], strict=True)
            ]
            ratios.append([*labels, *cells])
    header, of = ["pruning", "tasks", "merging"], f", {requirement} of the tasks"
    of_costs = [f"δ = {delta:g}" for delta in deltas]
    of_ratios = [f"/ {baseline(names, base)}, {one}" for base in REFERENCES for one in of_costs]
    return [
        noted_table(f"Computation (MFLOPs){of}", [*header, *of_costs], costs, 3),
        noted_table(f"Ratio of computation{of}", [*header, *of_ratios], ratios, 3),
    ]


def headline(run: Run, experiment: str) -> Document | None:
    """Return the largest factors against B1 and B2 beside the paper's."""
    factors = run.rows("headline", experiment=experiment, delta=DEFAULT_DELTA)
    if factors.empty:
        return None
    axes = ["against", "pruning", "merging"]
    lookup = Lookup(run.names, factors, axes)
    rows = [
        [
            *(run.names.merging(row["against"]), run.names.pruning(row["pruning"])),
            *(run.names.merging(row["merging"]), row["combination"], factor_cell(row)),
            *(number(row["p"], ".2g"), f"{row['n']:.0f}", f"{row['paper']:.2f} ×"),
        ]
        for row in lookup.all(*lookup.places(*axes))
    ]
    header = ["against", "pruning", "merging", "tasks", "times less", "p", "n", "paper"]
    return Document(
        title=f"{run.title(experiment)}: the largest factors",
        intro="FLOPs of the baseline divided by FLOPs of the merger at matched accuracy (δ = "
        f"{DEFAULT_DELTA:g}), for the task combination where that is largest (a choice that "
        "favours large values, and that p does not know of); the paper's figures are the largest "
        f"over all its data sets. {brackets(int(factors['n'].max()))}",
        tables=[noted_table("Times less computation", header, rows, 4)],
        numbers=run.text_rows("headline", experiment=experiment),
    )


def latency(run: Run, experiment: str) -> Document | None:
    """Return time and speed-up at matched accuracy; None where nothing was timed."""
    points = default_points(run, experiment)
    if run.rows("latency", experiment=experiment).empty or points.empty:
        return None
    n = points["seed"].nunique()
    combinations = order_combinations(points["combination"])
    pools, alone = pooled(combinations), {name: [name] for name in combinations}
    every = [*speed_ups(run, experiment, pools | alone)]
    shown = [row for row in every if row["combination"] in pools]
    rows = [
        [
            *(run.names.pruning(row["pruning"]), f"{row['threads']:.0f}"),
            *(backend_name(row["backend"]), f"{row['batch_size']:.0f}"),
            *(row["combination"], run.names.merging(row["merging"])),
            *_time_cells(row, n),
        ]
        for row in shown
    ]
    numbers = [
        SPEED_UPS.format_row({one: row[one] for one in SPEED_UPS.columns})
        for row in every
        if row["combination"] in alone
    ]
    machine = timed_on(run, experiment)
    notes = [UNSTEADY_NOTE] if any(row["unsteady"] for row in shown) else []
    header = ["pruning", "threads", "backend", "batch", "tasks", "merging", "ms"]
    header += [
        f"{'FLOPs' if cost == 'flops' else cost}: × less than {baseline(run.names, reference)}"
        for cost, reference in RATIOS
    ]
    return Document(
        title=f"{run.title(experiment)}: time at matched accuracy",
        intro=f"Per seed, {RULE}: milliseconds of one forward pass of a batch (median over rounds, "
        f"mean over n = {n} seeds), and how many times less FLOPs and time that is than B1 and B2 "
        f"take: geometric means of ratios paired by seed. {brackets(n)} Networks that share "
        "nothing run one after the other, and their times add up. Of more than two tasks, means "
        "over all combinations of as many tasks. Each merging was timed by a job of its own: `pam "
        f"bench latency` times them in turn. Machine: {machine or 'not known'}.",
        tables=[noted_table("Time and speed-up", header, rows, 6, (), notes, NO_NETWORK)],
        numbers=pd.DataFrame(numbers, columns=list(SPEED_UPS.columns)),
    )


def _time_cells(row: Row, n: int) -> Iterator[str]:
    """Yield time and speed-ups of a row of :func:`speed_ups`."""
    for name in _ESTIMATES:
        mean, low, high = (row[f"{name}_{part}"] for part in ("mean", "low", "high"))
        if math.isnan(mean):
            # No seed meets delta, or the networks that do were not timed.
            yield DASHES[FAILED if row[f"{name}_met"] else NOT_REACHED]
        elif name == TIME:
            yield interval(mean, low, high, "#.3g") + fewer(row, n)
        elif name.startswith("time") and row["unsteady"]:
            yield "—§"
        elif name.endswith(f"_vs_{row['itself']}"):
            yield "1"
        else:
            yield interval(mean, low, high, ".2f") + fewer({"n": row[f"{name}_n"]}, n)


def resources(run: Run, experiment: str) -> Document | None:
    """Return what the jobs of every rule took; None where no job measured itself."""
    times = rule_times(run.rows("resources", experiment=experiment))
    if times.empty:
        return None
    rows = [
        [
            *(time.rule, f"{time.jobs:,}", f"{time.total:,.1f}", f"{100 * time.share:.0f} %"),
            *(f"{time.median:,.1f}", f"{time.longest:,.1f}", f"{time.cpu:,.1f}"),
            f"{time.memory:,.0f}",
        ]
        for time in times.itertuples()
    ]
    header = ["rule", "jobs", "wall clock (s)", "share", "median job (s)", "longest job (s)"]
    header += ["processor (s)", "peak memory (MB)"]
    return Document(
        title=f"{experiment}: where the time goes",
        intro="Wall clock and processor time of all jobs of a rule together, as each job measured "
        "itself; jobs may have run side by side. Peak memory is that of the largest job.",
        tables=[TextTable("Run time and memory per rule", header, rows, 1)],
        numbers=run.text_rows("resources", experiment=experiment),
    )
