"""The largest factor by which a pruning-aware merger beats B1 and B2, beside the paper's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pam.reporting.published import published
from pam.reporting.statistics.matched import BOUND, REFERENCES
from pam.reporting.storage import read_table

_PLACE = ["experiment", "pruning", "delta", "combination"]


def headline_rows(folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``headline.csv`` from ``matched.csv``.

    One row per experiment, delta, baseline and merger of the PAM family (``pam`` is the paper's
    method, ``pam_...`` are variants), for the pruning and combination with the largest factor.
    ``factor`` is the baseline's FLOPs divided by the merger's. A baseline that is itself only
    bounded from above, or that never comes within delta, gives no factor.
    """
    matched = read_table(folder, "matched")
    paper = published("headline").set_index("against")["factor"]
    family = matched[(matched["merging"] == "pam") | matched["merging"].str.startswith("pam_")]
    for reference in REFERENCES:
        bounded = matched[(matched["merging"] == reference) & (matched["status"] == BOUND)]
        candidates = _without(family, bounded)
        # The ratio to a baseline of infinite cost is 0, and to one without a cost it is missing.
        candidates = candidates[candidates[f"flops_vs_{reference}_mean"] > 0]
        for (experiment, merging, delta), rows in candidates.groupby(
            ["experiment", "merging", "delta"]
        ):
            best = rows.loc[rows[f"flops_vs_{reference}_mean"].idxmin()]
            yield {
                "experiment": experiment,
                "against": reference,
                "merging": merging,
                "pruning": best["pruning"],
                "combination": best["combination"],
                "delta": delta,
                "n": int(best["n"]),
                "status": best["status"],
                "factor": 1 / best[f"flops_vs_{reference}_mean"],
                "low": _inverse(best[f"flops_vs_{reference}_high"]),
                "high": _inverse(best[f"flops_vs_{reference}_low"]),
                "paper": paper[reference],
            }


def _without(rows: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose experiment, pruning, delta and combination are not in ``places``."""
    excluded = pd.MultiIndex.from_frame(places[_PLACE])
    return rows[~pd.MultiIndex.from_frame(rows[_PLACE]).isin(excluded)]


def _inverse(ratio: float) -> float:
    return 1 / ratio if ratio else float("inf")
