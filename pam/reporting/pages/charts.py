"""The charts of the explorer as Vega-Lite specifications; the page gives them their rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from pam.reporting.figures.style import Look

_CROSS = "M-.8-.5L-.5-.8 0-.3 .5-.8 .8-.5 .3 0 .8 .5 .5 .8 0 .3-.5 .8-.8 .5-.3 0Z"
_SHAPES = {"s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross"}
_SHAPES |= {"<": "triangle-left", ">": "triangle-right", "o": "circle", "X": _CROSS}
_CONFIG = {
    "font": "system-ui, DejaVu Sans, sans-serif",
    "background": "white",
    "axis": alt.AxisConfig(labelFontSize=11, titleFontSize=12, gridColor="#E4E4E4"),
    "legend": alt.LegendConfig(orient="top", labelFontSize=12, labelLimit=260, symbolSize=70),
    "view": alt.ViewConfig(stroke=None),
}


def charts(
    looks: Mapping[str, Look], groups: Mapping[str, Look], layers: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return name -> chart of one experiment.

    Args:
        looks: display name of a merger -> how it is drawn, in order.
        groups: the same of groups.
        layers: of the networks, in order.
    """
    mergers = list(looks)
    colours = alt.Scale(domain=mergers, range=[look.colour for look in looks.values()])
    shapes = alt.Scale(domain=mergers, range=[_SHAPES[look.marker] for look in looks.values()])
    colour = alt.Color("merger:N", title=None, scale=colours)
    shape = alt.Shape("merger:N", title=None, scale=shapes)
    every = {
        "frontier": _frontier(colour, shape),
        "costs": _costs(colour, mergers),
        "ratios_none": _ratios(colour, shape, mergers, "ratios_none"),
        "ratios_mtz": _ratios(colour, shape, mergers, "ratios_mtz"),
        "groups": _groups(groups, mergers, layers),
    }
    return {name: chart.configure(**_CONFIG).to_dict() for name, chart in every.items()}


def _tooltips(fields: Mapping[str, str]) -> list[alt.Tooltip]:
    """Return lines of a tooltip: title -> field with its type, and its format after ``|``."""
    every = {title: field.partition("|") for title, field in fields.items()}
    return [
        alt.Tooltip(name, title=title, format=form or alt.Undefined)
        for title, (name, _, form) in every.items()
    ]


def _frontier(colour: alt.Color, shape: alt.Shape) -> alt.LayerChart:
    x = alt.X("mflops:Q", title="computation (MFLOPs)").scale(type="log", nice=False, padding=12)
    y = alt.Y("lost:Q", title="accuracy lost (points)").scale(reverse=True, nice=True)
    shown = {
        "merger": "merger:N",
        "seed": "seed:Q",
        "strength": "strength:Q",
        "MFLOPs": "mflops:Q|.4~g",
        "test accuracy": "accuracy:Q|.2%",
        "validation accuracy": "validation_accuracy:Q|.2%",
        "points lost": "lost:Q|.2f",
        "command": "command:N",
    }
    networks = alt.Chart(alt.NamedData("networks")).mark_point(filled=True, size=55, opacity=0.75)
    level = alt.Chart(alt.NamedData("level")).mark_rule(strokeDash=[5, 4], color="#666666")
    read = alt.Chart(alt.NamedData("read")).encode(color=colour)
    interval = read.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", y="delta:Q")
    means = read.mark_point(filled=True, size=170, stroke="black", strokeWidth=1.5).encode(
        x=alt.X("mflops:Q"), y="delta:Q", shape=shape, tooltip=_cost_tooltips()
    )
    layers = networks.encode(x=x, y=y, color=colour, shape=shape, tooltip=_tooltips(shown))
    return (layers + level.encode(y="delta:Q") + interval + means).properties(
        width="container", height=380, description="Accuracy lost against computation."
    )


def _estimate_tooltips(title: str, column: str, form: str, **more: str) -> list[alt.Tooltip]:
    """Return the lines of an estimate with its interval, in a column and with a number format."""
    who = {"merger": "merger:N", "tasks": "combination:N"}
    ends = {"from": f"low:Q|{form}", "to": f"high:Q|{form}"}
    on = {"seeds": "n:Q", "reading": "reading:N"}
    return _tooltips(who | {title: f"{column}:Q|{form}"} | ends | more | on)


def _cost_tooltips() -> list[alt.Tooltip]:
    return _estimate_tooltips("MFLOPs", "mflops", ".4~g")


def _costs(colour: alt.Color, mergers: Sequence[str]) -> alt.LayerChart:
    base = alt.Chart(alt.NamedData("costs")).encode(
        x=alt.X("combination:N", sort=None, title="tasks that run").axis(labelAngle=0),
        xOffset=alt.XOffset("merger:N", sort=mergers),
        tooltip=_cost_tooltips(),
    )
    bars = base.mark_bar(stroke="black", strokeWidth=0.5).encode(
        y=alt.Y("mflops:Q", title="computation (MFLOPs)"), color=colour
    )
    ends = base.encode(y=alt.Y("low:Q"), y2="high:Q")
    # White around, so that they are seen on a black bar.
    whiskers = ends.mark_rule(strokeWidth=4, color="white") + ends.mark_rule(strokeWidth=1.5)
    signs = base.mark_text(dy=-7, fontSize=12).encode(y="top:Q", text="sign:N")
    return (bars + whiskers + signs).properties(
        width="container", height=300, description="Computation of every merger at equal accuracy."
    )


def _ratios(
    colour: alt.Color, shape: alt.Shape, mergers: Sequence[str], data: str
) -> alt.LayerChart:
    base = alt.Chart(alt.NamedData(data)).encode(
        y=alt.Y("combination:N", sort=None, title=None),
        yOffset=alt.YOffset("merger:N", sort=mergers),
        color=colour,
        tooltip=_estimate_tooltips("ratio", "ratio", ".3~g", p="p:Q|.2~g"),
    )
    scale = alt.Scale(type="log", nice=False, padding=10)
    x = alt.X("ratio:Q", title="ratio of FLOPs (left of 1: cheaper)", scale=scale)
    one = alt.Chart(alt.NamedData("one")).mark_rule(color="#666666").encode(x="ratio:Q")
    whiskers = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    hollow = alt.when("datum.sign").then(alt.value("white")).otherwise(colour)
    points = base.mark_point(size=60).encode(x=x, shape=shape, fill=hollow)
    return (one + whiskers + points).properties(
        width="container", description="Ratio of computation to a baseline at equal accuracy."
    )


def _groups(
    groups: Mapping[str, Look], mergers: Sequence[str], layers: Sequence[str]
) -> alt.FacetChart:
    drawn = {look.label: look.colour for look in groups.values()}
    colours = alt.Scale(domain=[*drawn], range=[*drawn.values()])
    shown = {"merger": "merger:N", "layer": "layer:N", "group": "label:N", "tasks": "group:N"}
    shown["neurons"] = "neurons:Q|.1f"
    bars = (
        alt.Chart(alt.NamedData("groups"))
        .mark_bar(stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X("neurons:Q", title="neurons"),
            y=alt.Y("merger:N", sort=mergers, title=None),
            color=alt.Color("label:N", title=None, scale=colours),
            order="place:Q",
            tooltip=_tooltips(shown),
        )
        .properties(width=200, height=alt.Step(15))
    )
    return bars.facet(alt.Facet("layer:N", sort=list(layers), title=None), columns=3).resolve_scale(
        x="independent"
    )
