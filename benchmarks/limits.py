"""Whether a row keeps what was wanted of it, in words."""

import operator
import re
from collections.abc import Mapping

from benchmarks.rows import OURS_OVER_PEER

_LIMIT = re.compile(r"(\w+)(>=|<=)([\d.e+-]+)")
_HOLDS = {">=": operator.ge, "<=": operator.le}
_WORDS = {">=": "at least", "<=": "at most"}
_QUANTITIES = {
    "seconds": "{} s",
    "peak_gib": "{} GiB of memory at the peak",
    "difference": "a difference of {}",
}

_SAID = {True: "reached", False: "**not reached**"}


def verdicts(row: Mapping[str, str]) -> list[str]:
    """Return one sentence per limit of a row: what was wanted and what was measured.

    A limit on the ratio is held against its interval as well.
    """
    return [_verdict(row, *limit) for limit in _LIMIT.findall(row["wanted"])]


def limit_on(row: Mapping[str, str], quantity: str) -> float | None:
    """Return the limit on a quantity of a row, None if there is none."""
    for name, _, bound in _LIMIT.findall(row["wanted"]):
        if name == quantity:
            return float(bound)
    return None


def _verdict(row: Mapping[str, str], quantity: str, sign: str, bound: str) -> str:
    what = f"{row['case']} ({row['size']}): wanted"
    holds, limit = _HOLDS[sign], float(bound)
    said = _SAID[holds(float(row[quantity]), limit)]
    if quantity != "ratio":
        wanted = _QUANTITIES[quantity].format(f"{_WORDS[sign]} {bound}")
        return f"{what} {wanted}, measured {row[quantity]}: {said}."
    if holds(float(row["low"]), limit) != holds(float(row["high"]), limit):
        said += ", though the interval holds both sides of the limit"
    slow, fast = row["peer"], "ours"
    if row["ratio_of"] == OURS_OVER_PEER:
        slow, fast = fast, slow
    return (
        f"{what} {slow} to take {_WORDS[sign]} {bound} times as long as {fast}, "
        f"measured {row['ratio']} [{row['low']}, {row['high']}], n = {row['n']}: {said}."
    )
