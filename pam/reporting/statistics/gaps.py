"""Where paths have no network between two that differ much, so that a cost at delta is a guess."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pam.reporting.statistics.paths import MEAN, TOLERANCE, Path
from pam.reporting.statistics.points import Networks

WIDE = 2.0
"""How many times more the one network costs than the other from which on a gap is told of."""


def gap_rows(every: Sequence[Networks], deltas: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield the widest gap of every merger at every delta, of those wider than :data:`WIDE`.

    The columns are experiment, pruning, merging, delta; of the gap: ``tasks`` of its part, seed,
    ``above`` and ``below`` (FLOPs of the networks beside it, with all tasks of the part running),
    and ``drop`` (percentage points that the lower one has lost).

    Args:
        every: the networks of every experiment and pruning.
        deltas: percentage points.
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
