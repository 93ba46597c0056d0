"""Which merger and pruner make a request cheapest, and which do not differ from it."""

from dataclasses import dataclass

import numpy as np

from pam.reporting.run import Run
from pam.reporting.statistics.intervals import LEVEL, Estimate, holm
from pam.reporting.statistics.matched import any_request
from pam.reporting.statistics.matched_cost import paired, read_costs
from pam.reporting.statistics.paths import MEAN
from pam.reporting.statistics.points import pruned_networks


@dataclass(frozen=True)
class Standing:
    """What a request costs with one merger and pruner, and the ratio of the cheapest to it.

    Attributes:
        pruning, merging: which.
        cost: FLOPs, geometric mean over seeds; infinite if a seed never comes within delta.
        bound: whether the cost is only an upper bound.
        ratio: of the cheapest one's cost to this one's, paired by seed; NaN for the cheapest
            itself and where one of the two is no number or a bound.
        p, p_holm: of the exact sign-flip test, and corrected for all others.
    """

    pruning: str
    merging: str
    cost: float
    bound: bool
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
    every = pruned_networks(run, experiment=experiment)
    likely = run.manifest.config.get("requests") or {} if run.is_aggregated else {}
    families: dict[str, dict] = {}
    for networks in every:
        names = networks.combinations
        weights = any_request(names, likely)[None]
        family = run.names.beside(networks.pruning, [one.pruning for one in every])
        for merging, reading in read_costs(networks.paths, names, delta, MEAN).readings.items():
            if reading.seeds:
                place = networks.pruning, merging
                families.setdefault(family, {})[place] = reading.weighted(weights)
    return {family: _ranked(families[family]) for family in run.names.order_prunings(families)}


def _ranked(readings: dict) -> list[Standing]:
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
            bool(readings[place].bounds.any()),
            Estimate(*ratio[:4]),
            ratio[4],
            float(p_holm),
        )
        for place, ratio, p_holm in zip(order, ratios, corrected, strict=True)
    ]
