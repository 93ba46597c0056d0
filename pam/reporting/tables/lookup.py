"""Rows of a CSV file by the values of their axes, in the order in which tables show them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from pam.reporting.names import Names, order_combinations
from pam.reporting.schema import natural_key

Row = dict[str, Any]


class Lookup:
    """Rows that are found by the values of some columns.

    Args:
        names: how the values of axes are called and ordered.
        rows: the rows.
        axes: the columns that tell any two of them apart.
    """

    def __init__(self, names: Names, rows: pd.DataFrame, axes: Sequence[str]) -> None:
        self._names, self._axes = names, list(axes)
        self._rows: dict[tuple, Row] = {
            tuple(row[axis] for axis in axes): row for row in rows.to_dict("records")
        }

    def __iter__(self) -> Iterator[tuple]:
        """Yield the values of all axes of every row."""
        return iter(self._rows)

    def get(self, *place: Any) -> Row | None:
        """Return the row with these values of all axes; None if there is none."""
        return self._rows.get(place)

    def all(self, *places: tuple) -> list[Row | None]:
        """Return :meth:`get` of several places."""
        return [self._rows.get(place) for place in places]

    def places(self, *axes: str) -> list[tuple]:
        """Return the combinations of values that some axes have, in table order."""
        columns = [self._axes.index(axis) for axis in axes]
        present = {tuple(place[column] for column in columns) for place in self._rows}
        ranks = [
            {value: rank for rank, value in enumerate(in_order(self._names, axis, set(values)))}
            for axis, values in zip(axes, zip(*present, strict=True), strict=False)
        ]
        return sorted(
            present,
            key=lambda place: [rank[value] for rank, value in zip(ranks, place, strict=True)],
        )

    def values(self, axis: str) -> list[Any]:
        """Return the values of one axis in table order."""
        return [value for (value,) in self.places(axis)]


def in_order(names: Names, axis: str, values: Iterable[Any]) -> list[Any]:
    """Return the values of an axis in table order."""
    if axis in ("merging", "against"):
        return names.order_mergings(values)
    if axis == "pruning":
        return names.order_prunings(values)
    if axis == "combination":
        return order_combinations(values)
    return sorted(values, key=natural_key if axis == "layer" else None)
