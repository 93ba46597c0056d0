"""How numbers with intervals and bounds are written in tables."""

import math
from collections.abc import Mapping
from typing import Any

from pam.reporting.statistics.matched import BOUND, FAILED, NOT_REACHED

DASHES = {NOT_REACHED: "—†", FAILED: "—‡"}

DASH_NOTES = {
    "†": "† not reached: the fitted frontier (of a ratio: either of the two) never comes within δ.",
    "‡": "‡ failed or not measured; the reasons are in failures.csv.",
    "≤": "≤: already the cheapest network measured meets δ, so the cost lies at or below this; "
    "≥: the same of the merger it is compared with.",
    "(": "In round brackets: both costs of the ratio are only upper bounds.",
    "n =": "n is given where fewer seeds than in the rest of the table could be used.",
}


def estimate(row: Mapping[str, Any], name: str, scale: float, digits: str) -> str:
    """Return ``1.23 [1.10, 1.40]`` for a quantity of a row of ``matched.csv``, or its dash.

    Args:
        row: a row of ``matched.csv``.
        name: ``accuracy``, ``flops``, ``flops_vs_none`` or ``flops_vs_mtz``.
        scale: factor from the file's unit to the table's.
        digits: format of a number, such as ``.2f``.
    """
    mean, low, high = (row[f"{name}_{part}"] for part in ("mean", "low", "high"))
    if _missing(mean):
        return DASHES.get(row["status"], "—")
    return interval(scale * mean, scale * low, scale * high, digits)


def interval(mean: float, low: float, high: float, digits: str) -> str:
    """Return ``1.23 [1.10, 1.40]``, ``1.23`` where there is no interval, ``—`` for NaN."""
    text = number(mean, digits)
    if not _missing(mean) and not _missing(low):
        text += f" [{number(low, digits)}, {number(high, digits)}]"
    return text


def number(value: float, digits: str) -> str:
    """Return a number, ``∞`` for infinity and ``—`` for NaN."""
    if _missing(value):
        return "—"
    return "∞" if math.isinf(value) else format(value, digits)


def cost_cell(row: Mapping[str, Any] | None, n: int) -> str:
    """Return the matched MFLOPs of a row with interval, and ``≤`` where it is a bound."""
    if row is None:
        return DASHES[FAILED]
    prefix = "≤ " if row["status"] == BOUND else ""
    return prefix + estimate(row, "flops", 1e-6, "#.3g") + fewer(row, n)


def accuracy_cell(row: Mapping[str, Any] | None, n: int) -> str:
    """Return the test accuracy of a row in percent with interval."""
    if row is None:
        return DASHES[FAILED]
    return estimate(row, "accuracy", 100, ".2f") + fewer(row, n)


def ratio_cell(row: Mapping[str, Any] | None, base: Mapping[str, Any] | None, name: str) -> str:
    """Return a ratio of matched FLOPs; bounds of either side show in front of it.

    Args:
        row: the merger's row of ``matched.csv``.
        base: the row of the merger it is compared with.
        name: ``flops_vs_none`` or ``flops_vs_mtz``.
    """
    if row is None or base is None:
        return DASHES[FAILED]
    if base["status"] == NOT_REACHED:
        # Compared with an infinite cost every cost is nothing: that says nothing of the merger.
        return DASHES[NOT_REACHED]
    text = estimate(row, name, 1.0, ".2f")
    if text.startswith("—"):
        status = base["status"] if base["status"] in DASHES else row["status"]
        return DASHES.get(status, "—")
    bounds = (row["status"] == BOUND, base["status"] == BOUND)
    if all(bounds):
        return f"({text})"
    return ("≤ " if bounds[0] else "≥ " if bounds[1] else "") + text


def factor_cell(row: Mapping[str, Any]) -> str:
    """Return the factor of a row of ``headline.csv`` with interval: ``1.35 [0.93, 1.51] ×``."""
    # A cost that is at most x makes a factor that is at least the baseline's over x.
    prefix = "≥ " if row["status"] == BOUND else ""
    return f"{prefix}{interval(row['factor'], row['low'], row['high'], '.2f')} ×"


def fewer(row: Mapping[str, Any], n: int) -> str:
    """Return a remark where a row rests on fewer seeds than the table."""
    return f" (n = {row['n']:.0f})" if 0 < row["n"] < n else ""


def notes_for(cells: list[str]) -> list[str]:
    """Return the explanations of the signs that occur in cells."""
    text = "\n".join(cells)
    signs = {sign: sign in text for sign in ("†", "‡", "n =")}
    signs |= {"≤": "≤" in text or "≥" in text}
    signs |= {"(": any(cell.startswith("(") for cell in cells)}
    return [DASH_NOTES[sign] for sign in DASH_NOTES if signs[sign]]


def _missing(value: Any) -> bool:
    return value is None or math.isnan(value)
