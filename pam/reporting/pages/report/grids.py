"""Tables as the report shows them: cells with a value to sort by and marks for what repeats."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pam.reporting.tables.text_table import TextTable

FOLDED_ROWS = 40
"""A table with more rows starts folded."""

SORTED_ROWS = 3
"""A table with more rows can be sorted."""

LINE = 28
"""A longer text may break into lines."""

_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says.
        order: what it is sorted by, ascending; words by themselves, what is not known last.
        is_word: whether it stands left.
        strong: whether it is set in bold.
        again: whether it repeats the one above it.
    """

    text: str
    order: str
    is_word: bool
    strong: bool = False
    again: bool = False

    @property
    def kind(self) -> str:
        """How it is set: as a number, a word, or a text that may break into lines."""
        if not self.is_word:
            return "number"
        return "text" if len(self.text) > LINE else "word"


@dataclass(frozen=True)
class Grid:
    """A table to read.

    Attributes:
        title: one line; empty if what stands above says it.
        header: names of the columns.
        rows: cells.
        notes: lines under the table.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

    @property
    def is_long(self) -> bool:
        """Whether it starts folded."""
        return len(self.rows) > FOLDED_ROWS

    @property
    def is_sortable(self) -> bool:
        """Whether there is enough to sort."""
        return len(self.rows) > SORTED_ROWS

    def stands_left(self, column: int) -> bool:
        """Whether a column holds words."""
        return not self.rows or self.rows[0][column].is_word


def grid_of(table: TextTable) -> Grid:
    """Return a table of a document."""
    rows = [
        [
            cell(text, column < table.labels, (r, column) in table.strong, not shown and bool(text))
            for column, (text, shown) in enumerate(zip(row, sparse, strict=True))
        ]
        for r, (row, sparse) in enumerate(zip(table.rows, table.sparse(), strict=True))
    ]
    return Grid(table.title, table.header, rows, table.notes)


def plain_grid(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[str] = (),
) -> Grid:
    """Return a table of texts; the columns named ``numbers`` stand right."""
    cells = [
        [cell(text, name not in numbers) for name, text in zip(header, row, strict=True)]
        for row in rows
    ]
    return Grid(title, header, cells)


def cell(text: str, is_word: bool, strong: bool = False, again: bool = False) -> Cell:
    """Return a cell; a number is sorted by the first number in it."""
    return Cell(text, text if is_word else _order(text), is_word, strong, again)


def _order(text: str) -> str:
    number = _NUMBER.search(text)
    if text.startswith("—") or number is None:
        return str(math.inf if text.startswith("∞") else math.nan)
    return number.group().replace(",", "").replace("−", "-")
