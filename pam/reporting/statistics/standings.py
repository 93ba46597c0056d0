"""Which merger and pruner make a request cheapest, and which do not differ from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pam.reporting.run import Run
from pam.reporting.statistics.intervals import LEVEL, Estimate, holm
from pam.reporting.statistics.matched import DEFAULT_DELTA, Weights, any_request
from pam.reporting.statistics.matched_cost import Ratio, Reading, paired, read_costs
from pam.reporting.statistics.points import Networks, pruned_networks
from pam.reporting.statistics.pruning_path import MEAN

Place = tuple[str, str]
"""A pruning row and a merging row."""


@dataclass(frozen=True)
class Standing:
    """What a request costs with one merger and pruner, and the ratio of the cheapest to it.

    Attributes:
        pruning, merging: which.
        cost: FLOPs, geometric mean over seeds; infinite if a seed never comes within delta.
        ratio: of the cheapest one's cost to this one's, paired by seed; NaN for the cheapest
            itself and where one of the two is no number or a bound.
        p, p_holm: of the exact sign-flip test, and corrected for all others.
    """

    pruning: str
    merging: str
    cost: float
    ratio: Estimate
    p: float
    p_holm: float

    @property
    def differs(self) -> bool:
        """Whether the cheapest one is cheaper: interval and uncorrected p must both say so."""
        return self.cost == np.inf or (self.ratio.high < 1 and self.p < LEVEL)


def standings(run: Run, experiment: str, delta: float) -> dict[str, list[Standing]]:
    """Return the standings by expected cost of a request, the cheapest first.

    Returns:
        By the pruning whose B1 and B2 the rows are compared with.
    """
    readings = _readings(run, experiment, delta)
    prunings = {pruning for pruning, _ in readings}
    families: dict[str, dict[Place, Reading]] = {}
    for place, reading in _with_seeds(readings).items():
        families.setdefault(run.names.beside(place[0], prunings), {})[place] = reading
    return {family: _ranked(families[family]) for family in run.names.order_prunings(families)}


def request_ratios(run: Run, experiment: str, one: str, other: str) -> dict[str, Ratio]:
    """Return what any request costs with one merger of what it costs with another, paired by seed.

    Returns:
        By the pruning of both, at the default delta; only numbers, no bounds.
    """
    readings = _readings(run, experiment, DEFAULT_DELTA)
    ratios = {}
    for pruning in dict.fromkeys(pruning for pruning, _ in readings):
        both = [readings.get((pruning, merging)) for merging in (one, other)]
        if all(both) and not any(reading.bounds.any() for reading in both):
            ratio = Ratio(*(np.squeeze(part).item() for part in paired(*both)))
            if np.isfinite(ratio.estimate):
                ratios[pruning] = ratio
    return ratios


def overall_standings(run: Run, experiment: str, delta: float) -> list[Standing]:
    """Return the standings of the rows of all pruners together, the cheapest first."""
    readings = _with_seeds(_readings(run, experiment, delta))
    return _ranked(readings) if readings else []


@lru_cache(maxsize=32)
def _readings(run: Run, experiment: str, delta: float) -> Mapping[Place, Reading]:
    """Return the expected cost of a request of every row, by seed."""
    return {
        (networks.pruning, merging): reading
        for networks in pruned_networks(run, experiment=experiment)
        for merging, reading in request_readings(networks, run.likely, delta).items()
    }


def request_readings(networks: Networks, likely: Weights, delta: float) -> dict[str, Reading]:
    """Return the expected cost of a request with every merger, by seed."""
    names = networks.combinations
    return read_costs(networks.paths, names, delta, MEAN).weighted(any_request(names, likely)[None])


def _with_seeds(readings: Mapping[Place, Reading]) -> dict[Place, Reading]:
    return {place: reading for place, reading in readings.items() if reading.seeds}


def _ranked(readings: Mapping[Place, Reading]) -> list[Standing]:
    costs = {place: float(np.exp(np.log(one.costs).mean())) for place, one in readings.items()}
    order = sorted(costs, key=lambda place: (costs[place], place))
    first = readings[order[0]]
    ratios = []
    for place in order:
        ratio = paired(first, readings[place])
        known = place != order[0] and not (first.bounds.any() or readings[place].bounds.any())
        ends = (float(np.squeeze(end)) for end in (ratio.estimate, ratio.low, ratio.high, ratio.p))
        ratios.append((ratio.n, *(end if known else np.nan for end in ends)))
    corrected = holm(np.array([ratio[-1] for ratio in ratios]))
    return [
        Standing(
            *place,
            costs[place],
            Estimate(*ratio[:4]),
            ratio[4],
            float(p_holm),
        )
        for place, ratio, p_holm in zip(order, ratios, corrected, strict=True)
    ]
