"""Figure: test accuracy against computation, every measured network and the fitted frontiers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pam.reporting.figures import style
from pam.reporting.figures.panels import facets, lines, log_axis, named, scatter
from pam.reporting.names import order_combinations
from pam.reporting.run import Run
from pam.reporting.statistics.bootstrap import percentile_band, resample_counts
from pam.reporting.statistics.curves import pruned, select
from pam.reporting.statistics.frontier import fit_increasing
from pam.reporting.statistics.matched import DEFAULT_DELTA

SOURCES = ("measurements", "matched")
TITLE = "Accuracy against computation"
NOTE = (
    "faint: one network per seed and strength · line: monotone fit, band: its 95 % bootstrap "
    "interval over seeds · large: FLOPs at matched validation accuracy, where it is reached "
    "(figure “matched” has the intervals)"
)

_FOCUS = 6
"""Percentage points, in units of delta, below single-task accuracy that a panel shows."""


def draw(run: Run, experiment: str) -> Figure | None:
    """Return a panel per pruning scheme and combination; None where nothing was measured."""
    measured = pruned(select(run.table("measurements"), experiment=experiment, status="ok"))
    if measured.empty:
        return None
    combinations = order_combinations(measured["combination"])
    if len(combinations) > 3:
        combinations = [name for name in combinations if "&" not in name] + combinations[-1:]
        measured = measured[measured["combination"].isin(combinations)]
    matched = select(run.table("matched"), experiment=experiment, delta=DEFAULT_DELTA)
    # A merger may have been matched before it was pruned at all.
    looks = style.merging_looks(run.names, [*measured["merging"], *matched["merging"]])
    measured = measured.assign(x=1e-6 * measured["flops"], y=100 * measured["accuracy"])
    matched = matched.assign(x=1e-6 * matched["flops_mean"], y=100 * matched["accuracy_mean"])
    measured, matched = named(run, measured), named(run, matched)
    labels = ("computation (MFLOPs)", "test accuracy (%)")
    panels = facets(
        measured, "pruning", "combination", (2.2, 1.8), labels, sharex="col", sharey="col"
    )
    for axes, points in panels:
        of_column = select(measured, combination=points["combination"].iloc[0])
        single = 100 * of_column["single_task_accuracy"].mean()
        # Networks that lost all accuracy would flatten the rest, so they fall below the panel.
        high = max(of_column["y"].max(), single)
        low = min(max(of_column["y"].min(), single - _FOCUS * DEFAULT_DELTA), high - 1)
        # Limits that are set at once need not be found again after every line.
        axes.set(xscale="log", ylim=(low, high + 0.05 * (high - low)))
        axes.set_xlim(0.9 * of_column["x"].min(), 1.1 * of_column["x"].max())
        log_axis(axes.xaxis)
        scatter(axes, points, "x", "y", "merging", looks, s=11, alpha=0.35)
        fits = pd.concat([_fit(rows) for _, rows in points.groupby("merging")])
        lines(axes, fits, "x", "y", "merging", looks)
        place = {name: points[name].iloc[0] for name in ("pruning", "combination")}
        large = select(matched, **place).dropna(subset="x")
        scatter(axes, large, "x", "y", "merging", looks, s=28, linewidth=0.6, zorder=5)
        axes.axhline(single - DEFAULT_DELTA, color=style.GREY, lw=1.0, ls="--", zorder=1)
    line = {"color": style.GREY, "lw": 1.0, "ls": "--"}
    level = Line2D([], [], label=f"single-task − {DEFAULT_DELTA:g} point", **line)
    return panels.with_legend([*style.marks(looks.values()), level])


def _fit(points: pd.DataFrame) -> pd.DataFrame:
    """Return the monotone fit of one merging at its FLOPs, with its bootstrap band ``low, high``.

    Between those FLOPs the fit is linear in their logarithm.
    """
    seeds = sorted(points["seed"].unique())
    counts = resample_counts([int(seed) for seed in seeds], "figure")
    weights = np.vstack([np.ones(len(seeds)), counts])[:, np.searchsorted(seeds, points["seed"])]
    fits = fit_increasing(np.log(points["x"].to_numpy()), points["y"].to_numpy(), weights)
    values = fits.on_grid(fits.x)
    low, high = percentile_band(values[1:]) if len(seeds) > 1 else (np.nan, np.nan)
    columns = {"x": np.exp(fits.x), "y": values[0], "low": low, "high": high}
    return pd.DataFrame(columns).assign(merging=points["merging"].iloc[0])
