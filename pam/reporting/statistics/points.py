"""From CSV rows to paths: the measured networks of every independent part, merger and seed.

A merged network has one pruning strength for all tasks. Networks that share no group (B1) are
pruned each on its own: every one of them is a part with a path of its own, chooses its own
strength, and the costs of a combination add up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pam import groups as wiring
from pam.groups import SHARED
from pam.reporting.names import order_combinations
from pam.reporting.run import Run
from pam.reporting.statistics.intervals import Array
from pam.reporting.statistics.matched_cost import Paths
from pam.reporting.statistics.pruning_path import MEAN, TOLERANCE, Path, Tasks, fit_path
from pam.reporting.storage import select

COSTS = ("flops", "macs", "parameters")

_POINT = ["seed", "strength"]


@dataclass(frozen=True)
class Part:
    """The P measured networks of the tasks of one merger and seed that share groups.

    Attributes:
        tasks: the T tasks of the part.
        strengths: (P,).
        drops: (T, P) percentage points of validation accuracy below the single-task networks.
        accuracies: (T, P) test accuracies, 0..1.
        costs: each of :data:`COSTS` -> sets of the tasks -> (P,) cost when they run.
    """

    tasks: tuple[str, ...]
    strengths: Array
    drops: Array
    accuracies: Array
    costs: Mapping[str, Mapping[Tasks, Array]]

    @cached_property
    def path(self) -> Path:
        """Its fits against FLOPs."""
        return fit_path(self.tasks, self.costs["flops"], self.drops, self.accuracies)


@dataclass(frozen=True)
class Networks:
    """The pruned networks of one experiment and pruning.

    Attributes:
        experiment, pruning: their names.
        combinations: of tasks, in order; all are known of every network.
        parts: merging -> seed -> its parts; a merging without networks has no seeds.
    """

    experiment: str
    pruning: str
    combinations: Sequence[str]
    parts: Mapping[str, Mapping[int, Sequence[Part]]]

    @cached_property
    def paths(self) -> Paths:
        """The fits of the parts."""
        return {
            merging: {seed: [part.path for part in parts] for seed, parts in seeds.items()}
            for merging, seeds in self.parts.items()
        }


def components(groups: Iterable[str], tasks: Sequence[str]) -> list[Tasks]:
    """Return the sets of a network's tasks that are connected by a common group.

    Groups are called ``A``, ``A&C`` or ``shared`` (all tasks).
    """
    members = [frozenset(tasks if group == SHARED else group.split("&")) for group in groups]
    return wiring.components({"": dict.fromkeys(members, 1)}, tasks)


def pruned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of networks that were pruned, or were to be: those not of strength 0."""
    return frame[frame["strength"] != 0]


def pruned_networks(run: Run, **where: str) -> list[Networks]:
    """Return the networks of every experiment and pruning of a run, sorted.

    Networks of strength 0 are left out: they have not had the fine-tuning that follows pruning, so
    they are on no path. ``where`` names an experiment or a pruning to which the rest is limited.
    """
    measurements = run.rows("measurements", **where)
    accuracies, groups = run.rows("accuracies", **where), run.table("groups")
    every = []
    for (experiment, pruning), rows in measurements.groupby(["experiment", "pruning"]):
        combinations = order_combinations(name for name in rows["combination"] if name)
        if not combinations:
            # Every job failed before it could name one.
            continue
        parts = {}
        for merging, cells in rows.groupby("merging"):
            axes = {"experiment": experiment, "merging": merging}
            rated, merged = select(accuracies, pruning=pruning, **axes), select(groups, **axes)
            names = select(merged, stage="merged")["group"].unique()
            parts[merging] = dict(_parts_of_seeds(cells, rated, names, combinations))
        every.append(Networks(experiment, pruning, combinations, parts))
    return every


def _parts_of_seeds(
    measured: pd.DataFrame, rated: pd.DataFrame, groups: Sequence[str], combinations: Sequence[str]
) -> Iterator[tuple[int, list[Part]]]:
    """Yield every seed of one (experiment, pruning, merging) with its parts.

    Without any ``groups`` all tasks are connected. Networks of which something was not measured
    are left out.
    """
    measured, rated = select(measured, status="ok"), select(rated, status="ok")
    if measured.empty or rated.empty:
        return
    tasks = sorted(rated["task"].unique())
    loss = rated["single_task_validation_accuracy"] - rated["validation_accuracy"]
    # The CSV has six decimals; rounding takes off what the subtraction adds beyond them.
    rated = rated.assign(drop=(100 * loss).round(4))
    rated = rated.pivot(index=_POINT, columns="task", values=["drop", "accuracy"])
    costs = measured.pivot(index=_POINT, columns="combination", values=list(COSTS))
    wanted = pd.MultiIndex.from_product([COSTS, combinations])
    points = costs.reindex(columns=wanted).join(rated).dropna()
    named = {frozenset(name.split("&")): name for name in combinations}
    parts = [*map(sorted, components(groups if len(groups) else [SHARED], tasks))]
    for seed, networks in points.groupby("seed"):
        every = [_part(networks, part, named) for part in parts]
        if all(len(part.strengths) for part in every):
            yield int(seed), every


def _part(networks: pd.DataFrame, tasks: list[str], named: Mapping[Tasks, str]) -> Part:
    """Return what is different of a part from one network to the next, by strength.

    While another part goes on, a part stands as it was, at first as before pruning: that is no
    further reading, and would weigh as one.
    """
    runs = {run: name for run, name in named.items() if run <= {*tasks}}
    rated = [(kind, task) for kind in ("drop", "accuracy") for task in tasks]
    priced = [(cost, name) for cost in COSTS for name in runs.values()]
    values = networks[rated + priced].to_numpy(np.float64)
    strengths = networks.index.get_level_values("strength").to_numpy(np.float64)
    is_new = np.append(True, (values[1:] != values[:-1]).any(axis=1)) & (strengths > 0)
    kept = np.ascontiguousarray(values[is_new].T)
    drops, accuracies, costs = np.split(kept, [len(tasks), 2 * len(tasks)])
    by_kind = costs.reshape(len(COSTS), len(runs), -1)
    return Part(
        tuple(tasks),
        strengths[is_new],
        drops,
        accuracies,
        {
            cost: dict(zip(runs, rows, strict=True))
            for cost, rows in zip(COSTS, by_kind, strict=True)
        },
    )


WIDE = 2.0
"""How many times more the one network costs than the other from which on a gap is told of."""


def gap_rows(every: Sequence[Networks], deltas: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield the widest gap of every merger at every delta, of those wider than :data:`WIDE`.

    The columns are experiment, pruning, merging, delta; of the gap: ``tasks`` of its part, seed,
    ``above`` and ``below`` (FLOPs of the networks beside it, with all tasks of the part running),
    and ``drop`` (percentage points that the lower one has lost).
    """
    for networks in every:
        axes = {"experiment": networks.experiment, "pruning": networks.pruning}
        for merging, seeds in networks.paths.items():
            for delta in deltas:
                gaps = [
                    {"tasks": "&".join(path.tasks), "seed": seed} | gap
                    for seed, paths in seeds.items()
                    for path in paths
                    if (gap := gap_of(path, delta))
                ]
                widest = max(gaps, key=lambda gap: gap["above"] / gap["below"], default=None)
                if widest and widest["above"] > WIDE * widest["below"]:
                    yield axes | {"merging": merging, "delta": delta} | widest


def gap_of(path: Path, delta: float) -> dict[str, float] | None:
    """Return above, below and drop of the two networks between which a path crosses delta.

    None where it does not cross: no network, or every one, comes within delta.
    """
    drop = path.drop(MEAN)
    meets = int(np.searchsorted(-drop, -delta - TOLERANCE))
    if meets in (0, len(drop)):
        return None
    below, above = np.exp(path.x[meets - 1 : meets + 1])
    return {"above": float(above), "below": float(below), "drop": float(drop[meets - 1])}


def gap_sentence(merger: str, gap: dict[str, Any]) -> str:
    """Return what a row of :func:`gap_rows` says of a merger."""
    return (
        f"{merger}: no network between {1e-6 * gap['above']:.3g} and {1e-6 * gap['below']:.3g} "
        f"MFLOPs (tasks {gap['tasks']}, seed {gap['seed']}), where the loss jumps to "
        f"{gap['drop']:.3g} points: its cost at δ lies somewhere between them"
    )
