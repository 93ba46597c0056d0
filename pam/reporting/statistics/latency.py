"""Measured time: of networks beside their FLOPs, and of the jobs of every rule."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

import pandas as pd

from pam.reporting.names import backend_rank
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import mean_interval, ratio_interval
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.statistics.operating_points import parts_of
from pam.reporting.storage import select

SETTING = ["threads", "backend", "batch_size"]
"""What is the same in timings that are compared."""

TIME = "latency_ms"
RATIOS = [(cost, reference) for reference in REFERENCES for cost in ("flops", "time")]

UNSTEADY = 1.5
"""How many times as long, in half of all cases, slow rounds may take as the median, or a network in
one job as its equal in another."""

UNSTEADY_NOTE = (
    "§ not to be trusted: in half of all cases the slowest rounds of a network took more than "
    f"{UNSTEADY:g} times the median, or unpruned networks of equal size did in another job, as on "
    "a machine that does other work meanwhile; time them again with nothing beside."
)

_NETWORK = ["merging", "pruning", "strength", "seed", "combination"]
_POINT = ["pruning", "merging", "seed", "combination"]


def timed_networks(run: Run, experiment: str) -> pd.DataFrame:
    """Return the rows of ``latency.csv`` of an experiment, with ``flops`` and ``n_tasks``."""
    timed = run.rows("latency", experiment=experiment)
    measured = run.rows("measurements", experiment=experiment, status=OK)
    return timed.merge(measured[[*_NETWORK, "flops", "n_tasks"]], on=_NETWORK)


def order_settings(timed: pd.DataFrame) -> list[tuple[float, str, float]]:
    """Return the settings (number of threads, backend, batch size) of timings in table order."""
    settings = set(timed[SETTING].itertuples(index=False, name=None))
    return sorted(settings, key=lambda one: (one[0], backend_rank(one[1]), one[2]))


def is_unsteady(timed: pd.DataFrame) -> bool:
    """Tell whether rounds, or jobs, differ so much that times say little: see :data:`UNSTEADY`.

    Args:
        timed: rows of :func:`timed_networks`.
    """
    rounds = timed["high_ms"] / timed["median_ms"]
    # An unpruned network of one size is timed by the jobs of several seeds and pruners.
    equal = ["experiment", "merging", "combination", "flops", *SETTING]
    jobs = timed[timed["strength"] == 0].groupby(equal)["median_ms"]
    between = (jobs.max() / jobs.min())[jobs.size() > 1]
    return bool(rounds.median() > UNSTEADY or between.median() > UNSTEADY)


def timed_on(run: Run, experiment: str) -> str:
    """Return processor and cores of the machines that timed an experiment; empty if not known."""
    if not run.is_aggregated:
        return ""
    jobs = run.manifest.jobs.items()
    where = [job.environment for path, job in jobs if path.startswith(f"measured/{experiment}/")]
    machines = (one.device if "cuda" in (one.device or "") else one.cpu for one in where)
    cores = (f"{one.cores} cores" for one in where)
    return "; ".join(sorted({f"{name}, {n}" for name, n in zip(machines, cores, strict=True)}))


def default_points(run: Run, experiment: str) -> pd.DataFrame:
    """Return the rows of ``operating_points.csv`` of an experiment at the default delta."""
    return run.rows("operating_points", experiment=experiment, delta=DEFAULT_DELTA)


def matched_times(run: Run, experiment: str) -> pd.DataFrame:
    """Return ``time`` and ``flops`` of the networks at the operating points of the default delta.

    One row per (pruning, merging, seed, combination, threads, backend, batch_size) whose network
    meets delta; the time, in ms, is NaN where it was not timed. Networks that share nothing run one
    after the other, each at its own strength: their times add up, as their FLOPs do.
    """
    timed = run.rows("latency", experiment=experiment)
    # As the operating points write it.
    strengths = timed["strength"].map("{:g}".format)
    times = timed.assign(strength=strengths).set_index([*_NETWORK, *SETTING])["median_ms"].to_dict()
    settings = order_settings(timed)
    rows = []
    for point in select(default_points(run, experiment), status=OK).to_dict("records"):
        cell = (point["merging"], point["pruning"])
        parts = parts_of(point["combination"], point["strengths"])
        for setting in settings:
            ms = sum(
                times.get((*cell, f"{strength:g}", point["seed"], tasks, *setting), math.nan)
                for tasks, strength in parts
            )
            rows.append((*(point[name] for name in _POINT), *setting, ms, point["flops"]))
    return pd.DataFrame(rows, columns=[*_POINT, *SETTING, "time", "flops"])


def speed_ups(
    run: Run, experiment: str, requests: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, Any]]:
    """Yield how many times less FLOPs and time networks at matched accuracy take than B1 and B2.

    Args:
        run: the run.
        experiment: of it.
        requests: label -> combinations of tasks whose mean is meant, often one.

    Returns:
        One row per pruning, setting of timing, request (``combination``) and merging, in table
        order: ``n`` seeds, and ``<quantity>_n``, ``_mean``, ``_low`` and ``_high`` of
        ``latency_ms`` and of how many times less than each reference the network costs, such as
        ``time_vs_none``, with ``_met``: whether a seed has networks that meet delta, of the
        reference as well. ``itself`` is the reference that the row is, ``unsteady`` whether the
        timings of the setting say little, see :func:`is_unsteady`.
    """
    points, timed = default_points(run, experiment), timed_networks(run, experiment)
    unsteady = {setting for setting, rows in timed.groupby(SETTING) if is_unsteady(rows)}
    prunings = run.names.order_prunings(points["pruning"])
    # A pruner need not have pruned every merger.
    asked = set(points[["pruning", "merging"]].itertuples(index=False, name=None))
    times = matched_times(run, experiment).groupby(["pruning", *SETTING, "merging"])
    costs = {
        place: rows.pivot(index="seed", columns="combination", values=["flops", "time"])
        for place, rows in times
    }

    # Those of a baseline are asked for again by every merging.
    means = cache(lambda place, label: _means(costs.get(place), requests[label]))
    for pruning, setting in product(prunings, order_settings(timed)):
        beside = run.names.beside(pruning, prunings)
        axes = {"experiment": experiment, "pruning": pruning, "delta": DEFAULT_DELTA}
        axes |= dict(zip(SETTING, setting, strict=True)) | {"unsteady": setting in unsteady}
        for label, merging in product(requests, run.names.order_mergings(points["merging"])):
            if (pruning, merging) in asked:
                own = means((pruning, *setting, merging), label)
                bases = {one: means((beside, *setting, one), label) for one in REFERENCES}
                itself = merging if pruning == beside else ""
                row = axes | {"combination": label, "merging": merging, "itself": itself}
                yield row | _estimates(own, bases)


def _means(costs: pd.DataFrame | None, combinations: Sequence[str]) -> pd.DataFrame:
    """Return FLOPs and time, means over combinations, of the seeds whose networks all meet delta.

    Both are NaN where one was not timed.
    """
    if costs is None:
        return pd.DataFrame({"flops": [], "time": []}, dtype=float)
    known = (costs[cost].reindex(columns=combinations) for cost in ("flops", "time"))
    flops, time = (one.mean(axis=1, skipna=False) for one in known)
    return pd.DataFrame({"flops": flops.where(time.notna()), "time": time})[flops.notna()]


def _estimates(own: pd.DataFrame, bases: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the estimates of a row from the means of its networks and of the references'."""
    time = mean_interval(own["time"])
    known = {TIME: (time, own.index)}
    for cost, reference in RATIOS:
        base = bases[reference]
        ratio = ratio_interval(base[cost], own[cost])
        known[f"{cost}_vs_{reference}"] = ratio, base.index.intersection(own.index)
    row: dict[str, Any] = {"n": time.n}
    for name, (estimate, seeds) in known.items():
        row |= {f"{name}_{part}": value for part, value in estimate._asdict().items()}
        row[f"{name}_met"] = len(seeds) > 0
    return row


def rule_times(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the rules of rows of ``resources.csv``, the one that took most time first.

    Returns:
        One row per rule: its number of ``jobs``; wall clock of all of them (``total``), of the
        ``median`` and the ``longest`` one, and processor time of all (``cpu``), in seconds;
        ``memory``, the peak of the largest one (MB); and ``share`` of the wall clock of all rules.
    """
    rules = jobs.groupby("rule", as_index=False).agg(
        jobs=("wall_s", "size"),
        total=("wall_s", "sum"),
        median=("wall_s", "median"),
        longest=("wall_s", "max"),
        cpu=("cpu_s", "sum"),
        memory=("peak_memory_mb", "max"),
    )
    rules["share"] = (rules["total"] / rules["total"].sum()).fillna(0.0)
    return rules.sort_values("total", ascending=False, kind="stable", ignore_index=True)


def duration(seconds: float) -> str:
    """Return ``3.2 s``, ``4 min 05 s`` or ``7 h 12 min``; an en dash for NaN."""
    if pd.isna(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
