"""Measured time: of networks beside their FLOPs, and of the jobs of every rule."""

from collections.abc import Sequence
from typing import Any, NamedTuple

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


class Place(NamedTuple):
    """Where mergers are compared: a pruning and a setting of timing."""

    pruning: str
    threads: float
    backend: str
    batch_size: float


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
    """Return ``ms`` and ``flops`` of the networks at the operating points of the default delta.

    One row per (pruning, merging, seed, combination, threads, backend, batch_size) whose network
    meets delta and was timed. Networks that share nothing run one after the other, each at its own
    strength: their times add up, as their FLOPs do.
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
            ms = [
                times.get((*cell, f"{strength:g}", point["seed"], tasks, *setting))
                for tasks, strength in parts
            ]
            if None not in ms:
                axes = (*(point[name] for name in _POINT), *setting)
                rows.append((*axes, sum(ms), point["flops"]))
    return pd.DataFrame(rows, columns=[*_POINT, *SETTING, "ms", "flops"])


class SpeedUps:
    """How many times less FLOPs and time networks at matched accuracy take than B1 and B2.

    Attributes:
        places: the prunings and settings that are compared, in table order.
    """

    def __init__(self, run: Run, experiment: str) -> None:
        points = default_points(run, experiment)
        timed = timed_networks(run, experiment)
        settings = order_settings(timed)
        # By threads, backend and batch size.
        self._unsteady = {setting for setting, rows in timed.groupby(SETTING) if is_unsteady(rows)}
        prunings = run.names.order_prunings(points["pruning"])
        self.places = [Place(pruning, *one) for pruning in prunings for one in settings]
        self._beside = {pruning: run.names.beside(pruning, prunings) for pruning in prunings}
        met = select(points, status=OK).groupby(["pruning", "merging", "combination"])["seed"]
        self._seeds_that_meet = {network: set(seeds) for network, seeds in met}
        self._costs: dict[tuple[Place, str, str], dict[int, dict[str, float]]] = {}
        for row in matched_times(run, experiment).to_dict("records"):
            place = Place(*(row[name] for name in Place._fields))
            costs = self._costs.setdefault((place, row["merging"], row["combination"]), {})
            costs[int(row["seed"])] = {"flops": row["flops"], "time": row["ms"]}

    def row(self, place: Place, merging: str, combinations: Sequence[str]) -> dict[str, Any]:
        """Return estimates for the mean over some combinations, often one.

        They are ``n`` seeds, and ``<quantity>_n``, ``_mean``, ``_low`` and ``_high`` of
        ``latency_ms`` and of how many times less than each reference the network costs, such as
        ``time_vs_none``.
        """
        costs = self._means(place, merging, combinations)
        time = mean_interval(costs["time"].values())
        estimates = {TIME: time}
        for cost, reference in RATIOS:
            beside = place._replace(pruning=self._beside[place.pruning])
            base = self._means(beside, reference, combinations)[cost]
            estimates[f"{cost}_vs_{reference}"] = ratio_interval(base, costs[cost])
        return {"n": time.n} | {
            f"{name}_{part}": getattr(estimate, part)
            for name, estimate in estimates.items()
            for part in ("n", "mean", "low", "high")
        }

    def is_unsteady(self, place: Place) -> bool:
        """Tell whether the timings of a setting say little; see :func:`is_unsteady`."""
        return place[1:] in self._unsteady

    def is_base(self, pruning: str, merging: str, reference: str) -> bool:
        """Tell whether a merger under a pruning is the reference that it is compared with."""
        return (merging, pruning) == (reference, self._beside[pruning])

    def meet(self, pruning: str, merging: str, reference: str, combinations: Sequence[str]) -> bool:
        """Tell whether a seed has networks of a merger, and of a reference if any, that meet delta.

        They do for all the combinations.
        """
        others = [(self._beside[pruning], reference)] if reference else []
        seeds = [
            self._seeds_that_meet.get((*network, combination), set())
            for network in ((pruning, merging), *others)
            for combination in combinations
        ]
        return bool(set.intersection(*seeds))

    def _means(
        self, place: Place, merging: str, combinations: Sequence[str]
    ) -> dict[str, dict[int, float]]:
        """Return FLOPs and time: seed -> mean over combinations, of the seeds that have them."""
        every = [self._costs.get((place, merging, name), {}) for name in combinations]
        seeds = sorted(set.intersection(*map(set, every)))
        return {
            cost: {seed: sum(one[seed][cost] for one in every) / len(every) for seed in seeds}
            for cost in ("flops", "time")
        }


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
