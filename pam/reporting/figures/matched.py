"""Figure: computation of every task combination and merger at matched accuracy."""

import numpy as np
from matplotlib.figure import Figure

from pam.reporting.figures import style
from pam.reporting.figures.panels import beside, costs, facets, levels, named
from pam.reporting.names import combination_name, order_combinations
from pam.reporting.run import Run
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import BOUND, DEFAULT_DELTA

SOURCES = ("matched",)
TITLE = "Computation at matched accuracy"
NOTE = (
    f"validation accuracy {DEFAULT_DELTA:g} percentage point below the single-task networks · "
    "whiskers: 95 % bootstrap interval over seeds, arrow: not reached in some resamples · "
    "≤ or white centre: the cheapest network measured meets it"
)

_MOST_NUMBERS = 40


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a row of bars per pruning scheme; None where no merger was compared."""
    matched = select(run.table("matched"), experiment=experiment, delta=DEFAULT_DELTA)
    if matched.empty:
        return None
    looks = style.merging_looks(run.names, matched["merging"])
    combinations = order_combinations(matched["combination"])
    n_bars, few = len(looks) * len(combinations), len(combinations) <= 7
    numbered = n_bars <= _MOST_NUMBERS
    width = max((0.4 if numbered else 0.08) * n_bars, 4.0)
    words = dict(enumerate(map(combination_name, combinations) if few else combinations))
    place = matched["combination"].map(combinations.index)
    matched = named(run, matched)
    matched["x"] = place + beside(matched["merging"], list(looks))
    reached = matched.groupby("pruning")["flops_mean"].any()
    heights = [1 if reached[name] else 0.5 for name in levels(matched["pruning"])]
    labels = ("tasks that run", "computation (MFLOPs)")
    panels = facets(matched, "pruning", None, (width, 1.9), labels, height_ratios=heights)
    for axes, rows in panels:
        costs(axes, rows, looks, words)
        colours = [looks[name].colour for name in rows["merging"]]
        bar = {"lw": 40 * width / n_bars, "alpha": 0.3, "zorder": 0.9}
        axes.vlines(rows["x"], 0, 1e-6 * rows["flops_mean"], colours, **bar)
        for row in rows.dropna(subset="flops_mean").itertuples() if numbered else ():
            text = f"{'≤' * (row.status == BOUND)}{1e-6 * row.flops_mean:#.3g}"
            # Above the whisker, or beside one that has no end.
            open_above = row.flops_high == np.inf
            end = row.flops_mean if open_above else np.fmax(row.flops_mean, row.flops_high)
            put = {"textcoords": "offset points", "ha": "left" if open_above else "center"}
            axes.annotate(text, (row.x, 1e-6 * end), (3 * open_above, 4), fontsize=6, **put)
        if not few:
            axes.tick_params(axis="x", labelrotation=90, labelsize=6)
    return panels.with_legend(style.marks(looks.values(), "none"))
