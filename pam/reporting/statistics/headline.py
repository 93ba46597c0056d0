"""The largest factor by which a pruning-aware merger beats B1 and B2, beside the paper's."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.matched import BOUND, REFERENCES
from pam.reporting.storage import select

_PLACE = ["experiment", "pruning", "delta", "combination"]


def headline_rows(run: Run) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``headline.csv`` from ``matched.csv``.

    One row per experiment, delta, baseline and merger of the PAM family (the paper's method and
    its variants), for the pruning and combination with the largest factor.
    ``factor`` is the baseline's FLOPs divided by the merger's. A baseline that is itself only
    bounded from above, or that never comes within delta, gives no factor.
    """
    matched = run.table("matched")
    paper = published("headline").set_index("against")["factor"]
    variants = [row for row in matched["merging"].unique() if run.names.family(row) == "pam"]
    family = matched[matched["merging"].isin(variants)]
    places = pd.MultiIndex.from_frame(family[_PLACE])
    for reference in REFERENCES:
        bounded = select(matched, merging=reference, status=BOUND)[_PLACE]
        candidates = family[~places.isin(pd.MultiIndex.from_frame(bounded))]
        # The ratio to a baseline of infinite cost is 0, and to one without a cost it is missing.
        mean, low, high = (f"flops_vs_{reference}_{part}" for part in ("mean", "low", "high"))
        candidates = candidates[candidates[mean] > 0]
        axes = ["experiment", "merging", "delta"]
        largest = candidates.loc[candidates.groupby(axes)[mean].idxmin()]
        for best in largest.to_dict("records"):
            yield {name: best[name] for name in (*axes, "pruning", "combination", "status")} | {
                "against": reference,
                "n": int(best["n"]),
                "factor": 1 / best[mean],
                "low": _inverse(best[high]),
                "high": _inverse(best[low]),
                "paper": paper[reference],
            }


def _inverse(ratio: float) -> float:
    return 1 / ratio if ratio else float("inf")
