"""Figures of benchmarks: how times grow, ratios with intervals, estimates beside the truth."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.rows import OURS_OVER_PEER, PEER_OVER_OURS, Row, limit_on, sizes, varying
from pam.files import atomic_path
from pam.reporting.figures import style

GROWTH = "growth with "
"""How the case of a row begins that belongs to a curve; the name of the axis and a comma follow."""

_COLOURS = [style.BLUE, style.VERMILION, style.GREEN, style.PURPLE]
_MARKERS = ["o", "s", "^", "D"]
_WAYS = {
    PEER_OVER_OURS: "time of the peer over ours (right of 1: ours is faster)",
    OURS_OVER_PEER: "our time over the peer's (left of 1: ours is faster)",
}


def draw(name: str, rows: Sequence[Row], folder: Path) -> list[str]:
    """Draw all figures that the rows of a benchmark allow; return the files' names (SVG)."""
    growing = [row for row in rows if row["case"].startswith(GROWTH)]
    kinds: dict[str, tuple[Callable[[Sequence[Row]], Figure], list[Row]]] = {
        "growth": (_growth, growing),
        "ratios": (_ratios, [row for row in rows if row not in growing]),
        "values": (_values, [row for row in rows if row["true_value"]]),
    }
    drawn = []
    for kind, (figure_of, chosen) in kinds.items():
        if chosen:
            with style.house_style():
                drawn.append(_save(figure_of(chosen), folder / f"{name}_{kind}.svg"))
    return drawn


def _save(figure: Figure, path: Path) -> str:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None, "Creator": None})
    return path.name


def _growth(rows: Sequence[Row]) -> Figure:
    """One panel per axis, one line per kind of data: seconds, on logarithmic axes."""
    panels: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        axis, _, kind = row["case"].removeprefix(GROWTH).partition(", ")
        panels[axis][kind].append(row)
    figure = style.new_figure(2.6 * len(panels) + 0.4, 2.8)
    for axes, (axis, lines) in zip(_side_by_side(figure, len(panels)), panels.items(), strict=True):
        every = [(kind, row) for kind, line in lines.items() for row in line]
        kinds = [kind for kind, _ in every]
        x = [float(sizes(row)[axis]) for _, row in every]
        y = [float(row["seconds"]) for _, row in every]
        look = {"palette": _COLOURS[: len(lines)], "markers": _MARKERS[: len(lines)]}
        sns.lineplot(x=x, y=y, hue=kinds, style=kinds, dashes=False, errorbar=None, ax=axes, **look)
        axes.set(xscale="log", yscale="log", xlabel=axis, ylabel="seconds")
        axes.set_xticks(sorted(set(x)), [f"{value:g}" for value in sorted(set(x))])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.legend()
    return figure


def _ratios(rows: Sequence[Row]) -> Figure:
    """One panel per way round of the ratio: a dot per row, its interval, and its limit."""
    panels: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        panels[row["ratio_of"]].append(row)
    heights = [len(chosen) + 2 for chosen in panels.values()]
    figure = style.new_figure(7.2, 0.2 * sum(heights) + 0.4)
    stacked = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (way, chosen) in zip(stacked, panels.items(), strict=True):
        _ratio_panel(axes, chosen)
        axes.set_xlabel(_WAYS[way])
    return figure


def _ratio_panel(axes: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        ratio, low, high = (float(row[name]) for name in ("ratio", "low", "high"))
        axes.plot([low, high], [place, place], color=style.BLUE, lw=2.5, alpha=0.5)
        axes.plot(ratio, place, "o", color=style.BLUE, ms=4)
        limit = limit_on(row, "ratio")
        if limit is not None:
            axes.plot(limit, place, "|", color=style.VERMILION, ms=9, mew=1.8)
    axes.axvline(1, color=style.GREY, lw=0.8)
    axes.set_yticks(range(len(rows)), _labels(rows), fontsize=6)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    left, right = axes.get_xlim()
    # Between two powers of ten no tick would have a number.
    axes.xaxis.set_minor_formatter("{x:g}" if right < 10 * left else "")
    axes.grid(False, axis="y")


def _labels(rows: Sequence[Row]) -> list[str]:
    """Return what tells the rows apart, in words."""
    names = varying(rows)
    labels = []
    for row in rows:
        size = ", ".join(f"{name} {sizes(row)[name]}" for name in names if name in sizes(row))
        labels.append(" · ".join(part for part in (row["case"], row["peer"], size) if part))
    return labels


def _values(rows: Sequence[Row]) -> Figure:
    """One panel per number of samples: estimates over the known value, whiskers their error."""
    panels: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        panels[sizes(row)["samples"]].append(row)
    figure = style.new_figure(2.6 * len(panels) + 0.4, 2.8)
    whole = _side_by_side(figure, len(panels))
    for axes, (samples, chosen) in zip(whole, panels.items(), strict=True):
        lines: dict[str, dict[float, tuple[float, float]]] = defaultdict(dict)
        for row in chosen:
            true = float(row["true_value"])
            lines["ours"][true] = float(row["value"]), float(row["difference"])
            lines[row["peer"]][true] = float(row["peer_value"]), float(row["peer_difference"])
        looks = zip(_COLOURS, _MARKERS, lines.items(), strict=False)
        for colour, marker, (name, points) in looks:
            y, errors = zip(*points.values(), strict=True)
            look = {"color": colour, "marker": marker, "ms": 4, "lw": 1}
            axes.errorbar(list(points), y, errors, label=name, **look)
        known = list(lines["ours"])
        axes.plot(known, known, color=style.GREY, lw=0.8)
        axes.set(title=f"{samples} samples", xlabel="known value (nats)", ylabel="estimate (nats)")
        axes.legend()
    return figure


def _side_by_side(figure: Figure, panels: int) -> list[Axes]:
    return list(figure.subplots(1, panels, squeeze=False)[0])
