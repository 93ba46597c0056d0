"""Whether a row keeps what was wanted of it, in words."""

import operator
import re
from collections.abc import Mapping

_LIMIT = re.compile(r"(\w+)(>=|<=)([\d.e+-]+)")
_HOLDS = {">=": operator.ge, "<=": operator.le}
_WORDS = {">=": "≥", "<=": "≤"}
_QUANTITIES = {
    "ratio": "ratio {}",
    "seconds": "{} s",
    "peak_gib": "{} GiB",
    "difference": "difference {}",
}

_SAID = {True: "reached", False: "**not reached**"}


def verdicts(row: Mapping[str, str]) -> str:
    """Return what was wanted of a row, and whether it is reached.

    A limit on the ratio is held against its interval as well.
    """
    return "; ".join(_verdict(row, *limit) for limit in _LIMIT.findall(row["wanted"]))


def limit_on(row: Mapping[str, str], quantity: str) -> float | None:
    """Return the limit on a quantity of a row, None if there is none."""
    for name, _, bound in _LIMIT.findall(row["wanted"]):
        if name == quantity:
            return float(bound)
    return None


def _verdict(row: Mapping[str, str], quantity: str, sign: str, bound: str) -> str:
    holds, limit = _HOLDS[sign], float(bound)
    wanted = _QUANTITIES[quantity].format(f"{_WORDS[sign]} {bound}")
    said = _SAID[holds(float(row[quantity]), limit)]
    if quantity == "ratio" and holds(float(row["low"]), limit) != holds(float(row["high"]), limit):
        said += ", but within the interval"
    return f"{wanted}: {said}"
