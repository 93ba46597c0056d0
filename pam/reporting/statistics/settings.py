"""What any request costs of separate networks, in every setting that several runs have."""

from collections.abc import Iterator, Sequence

import pandas as pd

from pam.reporting.names import Names, size_name
from pam.reporting.run import Run
from pam.reporting.statistics.claims import ALL_SHARED, B1, B2, LEVEL, PAM, RANDOM
from pam.reporting.statistics.matched import BOUND, DEFAULT_DELTA
from pam.reporting.statistics.matched_cost import Ratio
from pam.reporting.statistics.pruning_path import MEAN
from pam.reporting.statistics.standings import request_ratios
from pam.reporting.statistics.variants import protocols, sweeps, varied

FAITHFUL = (B2, ALL_SHARED, PAM, RANDOM)
"""The mergers that everybody asks about, and their control."""

_LEARNED = "learned"

_PARTS = ("mean", "low", "high", "p")
_COLUMNS = (*("settings", "method", "group", "place"), *_PARTS, "n", "bound")

_Place = tuple[str, str, str]
"""A group of experiments, one of them, and what it is in the group; empty if it stands alone."""


def methods() -> dict[str, str]:
    """Return method -> display name: mergers under the baselines' pruner, and learned groups."""
    names = {merging: Names().merging(merging) for merging in FAITHFUL}
    return names | {_LEARNED: f"{names[ALL_SHARED]} with groups learned while pruning"}


def any_requests(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the ratios to B1 of any request at the default delta, where every seed has one.

    Returns:
        A row per setting and method: ``settings`` (the same for the same measurement), ``method``
        (one of :func:`methods`), ``group`` (data and networks, and what varies; the experiment
        where several that stand alone are alike in both), ``place`` (its value, or the pruner),
        ``mean``, ``low``, ``high``, ``p``, ``n`` and ``bound``. Experiments that stand alone come
        first, then sweeps, then other protocols; one that is in two of them has rows in both. Of
        runs that measured the same the first counts.
    """
    known = [
        (place, rows)
        for places in (_alone, _swept, _protocols)
        for run in runs
        for place in places(run)
        if len(rows := _ratios(run, *place[1:]))
    ]
    groups = _told_apart([place for place, _ in known])
    parts = [rows.assign(group=group) for (_, rows), group in zip(known, groups, strict=True)]
    every = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)
    return every.drop_duplicates(["group", "settings"], ignore_index=True)


def against_random(runs: Sequence[Run]) -> pd.DataFrame:
    """Return what any request costs with PAM of groups of its sizes dealt at random.

    Returns:
        As :func:`any_requests`, a row per setting, but without ``group`` and ``place``.
    """
    rows = [
        ratio._asdict()
        | {"settings": run.row_settings(experiment, RANDOM, pruning), "method": PAM, "bound": False}
        for run in runs
        for experiment in run.experiments
        for pruning, ratio in request_ratios(run, experiment, PAM, RANDOM).items()
    ]
    return pd.DataFrame(rows, columns=["settings", "method", *Ratio._fields, "bound"])


def _told_apart(places: Sequence[_Place]) -> Iterator[str]:
    """Yield groups, with the experiment in it where several that stand alone have one."""
    names: dict[str, set[str]] = {}
    for group, name, place in places:
        if not place:
            names.setdefault(group, set()).add(name)
    for group, name, place in places:
        is_one_of_several = not place and len(names[group]) > 1
        yield f"{group}: {name}" if is_one_of_several else group


def outcomes(ratios: pd.DataFrame) -> pd.DataFrame:
    """Return method -> in how many settings its ratio lies below 1, above it, and is known.

    Interval and p must both say so. The columns are ``less``, ``more`` and ``known``.
    """
    told = (ratios["p"] < LEVEL) & ~ratios["bound"]
    less, more = told & (ratios["high"] < 1), told & (ratios["low"] > 1)
    counted = ratios.assign(less=less, more=more, known=True)
    once = counted.drop_duplicates("settings").groupby("method")
    counts = once[["less", "more", "known"]].sum()
    return counts.reindex([one for one in methods() if one in counts.index])


def _ratios(run: Run, experiment: str, place: str) -> pd.DataFrame:
    """Return the ratios of one experiment; groups learned stand where their baselines do."""
    rows = run.rows("requests", experiment=experiment, requirement=MEAN, delta=DEFAULT_DELTA)
    rows = rows[rows["n_tasks"].isna()].dropna(subset=f"flops_vs_{B1}_mean")
    merging, pruning, prunings = rows["merging"], rows["pruning"], rows["pruning"].unique()
    beside = pruning.map(lambda one: run.names.beside(one, prunings))
    is_learned = pruning.map(run.names.is_beside_another).astype(bool)
    is_bound = rows["status"] == BOUND
    is_bounded_base = is_bound & (merging == B1) & (pruning == beside)
    pruner = pruning.mask(is_learned, beside)
    places = _places(run.names, place, run.names.order_prunings(pruner))
    ratios = pd.DataFrame({part: rows[f"flops_vs_{B1}_{part}"] for part in _PARTS}).assign(
        settings=[run.row_settings(experiment, *row) for row in zip(merging, pruning, strict=True)],
        method=merging.mask(is_learned).mask(is_learned & (merging == ALL_SHARED), _LEARNED),
        place=pruner.map(places),
        n=rows["n"],
        # Against a bound of the baseline every ratio is one.
        bound=is_bound | beside.isin(beside[is_bounded_base]),
    )
    ratios = ratios.iloc[pruner.map([*places].index).argsort(kind="stable")]
    return ratios[ratios["method"].isin([*methods()])]


def _places(names: Names, place: str, prunings: Sequence[str]) -> dict[str, str]:
    """Return pruning -> what its place is called: ``50`` of a sweep and ``50, slow``, or itself.

    In a sweep the name of the first pruner goes without saying.
    """
    titles = {one: names.pruning(one) for one in prunings}
    known = titles[prunings[0]] if place and prunings else ""
    parts = {one: (place, title.removeprefix(known).strip()) for one, title in titles.items()}
    return {one: ", ".join(filter(None, both)) for one, both in parts.items()}


def _alone(run: Run) -> Iterator[_Place]:
    for name in sorted({*run.experiments} - varied(run)):
        yield run.title(name), name, ""


def _swept(run: Run) -> Iterator[_Place]:
    for sweep, values in sweeps(run).items():
        ordered = sorted(values, key=values.__getitem__)
        for name in ordered:
            yield _titled(run, ordered, sweep), name, f"{values[name]:g}"


def _protocols(run: Run) -> Iterator[_Place]:
    for names in protocols(run):
        for name in names:
            yield _titled(run, names, "protocol"), name, name.replace("_", " ")


def _titled(run: Run, experiments: Sequence[str], what: str) -> str:
    """Return what experiments have in common, and what varies."""
    sizes = {len(run.sections[name]["tasks"]) for name in experiments}
    tasks = f", {size_name(*sizes)}" if len(sizes) == 1 else ""
    return f"{run.title(experiments[0])}{tasks}: {what}"
