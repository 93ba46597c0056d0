"""The fair comparison: computation at matched accuracy, with a bootstrap interval over seeds.

Every (merging, pruning) pair was pruned at several strengths and seeds. For every combination the
*margin* (percentage points of validation accuracy below the single-task networks) is fitted as a
non-increasing function of log FLOPs over all strengths and seeds; the *matched FLOPs* at delta are
where that fit first comes down to delta. Test accuracy is read from its own monotone fit at that
same cost. The interval resamples seeds; a ratio uses the same resamples for both mergers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pam.reporting.statistics.bootstrap import percentile_interval, resample_counts
from pam.reporting.statistics.curves import Curve, Family, common_seeds
from pam.reporting.statistics.frontier import Array, fit_decreasing, fit_increasing

DELTAS = (0.5, 1.0, 2.0)
"""Percentage points of validation accuracy below the single-task networks, where mergers are
compared; an argument ``delta`` is one such number everywhere."""

DEFAULT_DELTA = 1.0
REFERENCES = ("none", "mtz")

OK, BOUND, NOT_REACHED, FAILED = "ok", "bound", "not reached", "failed"


@dataclass(frozen=True)
class Match:
    """One combination of one merger at one delta.

    Element 0 of the arrays is the full sample of seeds, the others are its R resamples.

    Attributes:
        flops: (1 + R,) matched FLOPs; infinite where the accuracy is not reached.
        accuracy: (1 + R,) test accuracy there, 0..1; NaN where not reached.
        status: of the full sample: ``ok``, ``bound`` (the cheapest network measured already
            meets delta, so the true cost is at most this) or ``not reached``.
    """

    flops: Array
    accuracy: Array
    status: str


class FittedCurves:
    """The monotone fits of one combination under the full sample and all resamples of seeds.

    Args:
        curves: the independent parts of the combination, whose costs add up.
        seeds: the seeds to use, sorted; points of others are left out.
        axes: what the resamples depend on beside the seeds.
    """

    def __init__(self, curves: Sequence[Curve], seeds: Sequence[float], *axes: str) -> None:
        counts = resample_counts([int(seed) for seed in seeds], *axes)
        drawn = np.vstack([np.ones(len(seeds)), counts])
        self._parts = []
        for curve in (curve.of_seeds(seeds) for curve in curves):
            weights, x = drawn[:, np.searchsorted(seeds, curve.seed)], np.log(curve.flops)
            margin = fit_decreasing(x, curve.margin, weights)
            accuracy = fit_increasing(x, curve.accuracy, weights)
            self._parts.append((len(curve.tasks), margin, accuracy))

    def match(self, delta: float) -> Match:
        """Return the matched FLOPs and accuracy at ``delta``."""
        flops, accuracy, any_bound = 0.0, 0.0, False
        for n_tasks, margin, test_accuracy in self._parts:
            position, bound = margin.first_below(delta)
            flops = flops + np.exp(position)
            accuracy = accuracy + n_tasks * test_accuracy.at(position)
            any_bound |= bool(bound[0])
        reached = OK if not any_bound else BOUND
        status = reached if np.isfinite(flops[0]) else NOT_REACHED
        return Match(flops, accuracy / sum(part[0] for part in self._parts), status)


class Matches:
    """All mergers of one experiment and pruning, fitted and matched when asked for, once.

    A comparison is on the mean of some combinations, often of one. Resamples depend on experiment
    and seeds alone, so every combination has the same draws and their mean is taken draw by draw.

    Attributes:
        experiment, pruning: what was compared.
        mergings, combinations: names, sorted.
    """

    def __init__(self, experiment: str, pruning: str, family: Family) -> None:
        self.experiment, self.pruning = experiment, pruning
        self.mergings = sorted(family)
        self.combinations = sorted({name for curves in family.values() for name in curves})
        self._family = family
        self._fits: dict[tuple[str, str, tuple[float, ...]], FittedCurves] = {}
        self._matches: dict[tuple[str, str, tuple[float, ...], float], Match] = {}

    def row(self, merging: str, combinations: Sequence[str], delta: float) -> dict[str, Any]:
        """Return status, n, and mean, low and high of accuracy, FLOPs and the two ratios."""
        seeds = self._seeds(merging, combinations)
        row: dict[str, Any] = {"status": FAILED, "n": len(seeds)}
        row |= summary("accuracy", None) | summary("flops", None)
        if seeds:
            match = self.match(merging, combinations, seeds, delta)
            row |= {"status": match.status} | summary("flops", match.flops)
            row |= summary("accuracy", match.accuracy, only_defined=True)
        for reference in REFERENCES:
            ratio = self._ratio(merging, reference, combinations, delta)
            row |= summary(f"flops_vs_{reference}", ratio)
        return row

    def match(
        self, merging: str, combinations: Sequence[str], seeds: Sequence[float], delta: float
    ) -> Match:
        """Return the mean over the combinations, of sorted seeds; status is the worst of theirs."""
        every = [self._match(merging, name, tuple(seeds), delta) for name in combinations]
        status = max((match.status for match in every), key=(OK, BOUND, NOT_REACHED).index)
        flops = np.mean([match.flops for match in every], axis=0)
        return Match(flops, np.mean([match.accuracy for match in every], axis=0), status)

    def _match(
        self, merging: str, combination: str, seeds: tuple[float, ...], delta: float
    ) -> Match:
        key = (merging, combination, seeds)
        if key not in self._fits:
            curves = self._family[merging][combination]
            self._fits[key] = FittedCurves(curves, seeds, self.experiment)
        if (*key, delta) not in self._matches:
            self._matches[*key, delta] = self._fits[key].match(delta)
        return self._matches[*key, delta]

    def _ratio(
        self, merging: str, reference: str, combinations: Sequence[str], delta: float
    ) -> Array | None:
        """Return the ratio of matched FLOPs, paired: both mergers on the same draws of seeds."""
        both = (merging, reference)
        common = sorted(set.intersection(*({*self._seeds(one, combinations)} for one in both)))
        if not common:
            return None
        flops, base = (self.match(one, combinations, common, delta).flops for one in both)
        with np.errstate(invalid="ignore"):
            return flops / base

    def _seeds(self, merging: str, combinations: Sequence[str]) -> list[float]:
        """Return the seeds for which a merger has points of all combinations."""
        curves_of = self._family.get(merging, {})
        seeds = [set(common_seeds(curves_of.get(name, []))) for name in combinations]
        return sorted(set.intersection(*seeds))


def summary(name: str, values: Array | None, only_defined: bool = False) -> dict[str, float | None]:
    """Return ``<name>_mean``, ``_low`` and ``_high`` of an estimate and its resamples.

    The "mean" is the estimate from the full sample: a fit over all seeds, not an average of fits.

    Args:
        name: start of the column names.
        values: (1 + R,) estimate and resamples; all three are empty if it is not finite. With
            a single resample (one seed) there is no interval.
        only_defined: leave resamples out that have no value (accuracy where none is matched).
    """
    row: dict[str, float | None] = {f"{name}_{part}": None for part in ("mean", "low", "high")}
    if values is None or not np.isfinite(values[0]):
        return row
    row[f"{name}_mean"] = float(values[0])
    resamples = values[1:][~np.isnan(values[1:])] if only_defined else values[1:]
    if len(values) > 2 and len(resamples):
        row[f"{name}_low"], row[f"{name}_high"] = percentile_interval(resamples)
    return row


def matched_rows(
    compared: Sequence[Matches], deltas: Sequence[float] = DELTAS
) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``matched.csv``, of one :class:`Matches` per experiment and pruning."""
    for matches in compared:
        for combination in matches.combinations:
            for row in _rows(matches, [combination], deltas):
                yield row | {"combination": combination}


def matched_size_rows(
    compared: Sequence[Matches], deltas: Sequence[float] = DELTAS
) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``matched_sizes.csv``: means over all combinations of as many tasks.

    A ratio is one of means: of what a request for so many tasks costs on average.
    """
    for matches in compared:
        sizes: dict[int, list[str]] = {}
        for name in matches.combinations:
            sizes.setdefault(name.count("&") + 1, []).append(name)
        for n_tasks, names in sizes.items():
            for row in _rows(matches, names, deltas):
                yield row | {"n_tasks": n_tasks, "combinations": len(names)}


def _rows(
    matches: Matches, combinations: Sequence[str], deltas: Sequence[float]
) -> Iterator[dict[str, Any]]:
    for merging in matches.mergings:
        for delta in deltas:
            axes = {"experiment": matches.experiment, "pruning": matches.pruning}
            axes |= {"delta": delta, "merging": merging}
            yield axes | matches.row(merging, combinations, delta)
