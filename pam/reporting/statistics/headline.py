"""The largest factors by which mergers beat B1 and B2, beside the paper's."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pam.reporting.names import Names
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.matched import BOUND, REFERENCES
from pam.reporting.statistics.paths import MEAN
from pam.reporting.storage import select

_AXES = ["experiment", "pruning", "delta"]


def headline_rows(run: Run, names: Names) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``headline.csv`` from ``matched.csv``.

    One row per experiment, pruning, delta, baseline and merger, for the combination with the
    largest factor. ``factor`` is the baseline's FLOPs divided by the merger's. A baseline that is
    itself only bounded from above, or that does not come within delta, gives no factor.
    """
    matched = run.rows("matched", requirement=MEAN)
    paper = published("headline").set_index("against")["factor"]
    for reference in REFERENCES:
        base = select(matched, merging=reference, status=BOUND)
        bounded = pd.MultiIndex.from_frame(base[[*_AXES, "combination"]])
        places = pd.MultiIndex.from_frame(
            matched.assign(pruning=_beside(names, matched))[[*_AXES, "combination"]]
        )
        mean, low, high, p = (
            f"flops_vs_{reference}_{name}" for name in ("mean", "low", "high", "p")
        )
        candidates = matched[~places.isin(bounded) & (matched["merging"] != reference)]
        candidates = candidates.dropna(subset=mean)
        axes = [*_AXES, "merging"]
        for best in candidates.loc[candidates.groupby(axes)[mean].idxmin()].to_dict("records"):
            yield {name: best[name] for name in (*axes, "combination", "status")} | {
                "against": reference,
                "n": int(best["n"]),
                "factor": 1 / best[mean],
                "low": _inverse(best[high]),
                "high": _inverse(best[low]),
                "p": best[p],
                "paper": paper[reference],
            }


def _inverse(ratio: float) -> float:
    # Of two or three seeds the lower end may be 0.0000 in the file.
    return 1 / ratio if ratio else float("inf")


def _beside(names: Names, matched: pd.DataFrame) -> list[str]:
    """Return the pruning of the baselines of every row."""
    known = matched.groupby("experiment")["pruning"].unique()
    return [
        names.beside(row.pruning, known[row.experiment])
        for row in matched[["experiment", "pruning"]].itertuples()
    ]
