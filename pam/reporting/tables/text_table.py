"""Tables of words, as Markdown for reading and as LaTeX for a paper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_SYMBOLS = {"≤": "leq", "≥": "geq", "≈": "approx", "∞": "infty", "δ": "delta"}
_SYMBOLS |= {"†": "dagger", "‡": "ddagger", "×": "times"}
_LATEX = str.maketrans(
    {letter: rf"\{letter}" for letter in "&%_#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {symbol: rf"$\{command}$" for symbol, command in _SYMBOLS.items()}
    | {"−": "$-$", "—": "---", "–": "--"}
)


@dataclass(frozen=True)
class TextTable:
    """A titled table whose cells are already text.

    Attributes:
        title: one line; empty for none.
        header: names of the columns.
        rows: cells, as many per row as columns.
        labels: number of leading columns that hold words and stand left; the others stand right.
            Where a word repeats the one above it, with the same words before it, it is left blank.
        strong: (row, column) of the cells to set in bold.
        notes: lines under the table.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int
    strong: frozenset[tuple[int, int]] = frozenset()
    notes: Sequence[str] = ()

    def to_markdown(self, level: int = 3) -> str:
        """Return the table in Markdown, aligned in the source too, its title as heading if any."""
        rows = [list(self.header), *self._cells("**{}**".format)]
        rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
        widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
        is_word = [column < self.labels for column in range(len(widths))]
        rule = [
            ":" + "-" * (width - 1) if left else "-" * (width - 1) + ":"
            for left, width in zip(is_word, widths, strict=True)
        ]
        lines = []
        for row in (rows[0], rule, *rows[1:]):
            cells = zip(row, is_word, widths, strict=True)
            padded = (cell.ljust(w) if left else cell.rjust(w) for cell, left, w in cells)
            lines.append(f"| {' | '.join(padded)} |")
        parts = [f"{'#' * level} {self.title}"] if self.title else []
        parts.append("\n".join(lines))
        if self.notes:
            parts.append("\n".join(f"{note}  " for note in self.notes))
        return "\n\n".join(parts) + "\n"

    def to_latex(self) -> str:
        """Return the table as a LaTeX float; it needs the package booktabs."""
        rows = self._cells(r"\textbf{{{}}}".format, latex)
        columns = "l" * self.labels + "r" * (len(self.header) - self.labels)
        return "\n".join(
            [
                r"\begin{table}",
                r"\centering",
                rf"\caption{{{latex(self.title)}}}",
                rf"\begin{{tabular}}{{{columns}}}",
                r"\toprule",
                " & ".join(map(latex, self.header)) + r" \\",
                r"\midrule",
                *(" & ".join(row) + r" \\" for row in rows),
                r"\bottomrule",
                r"\end{tabular}",
                *(rf"\par\footnotesize {latex(note)}" for note in self.notes),
                r"\end{table}",
                "",
            ]
        )

    def _cells(
        self, bold: Callable[[str], str], escape: Callable[[str], str] = str
    ) -> list[list[str]]:
        """Return the sparse rows, escaped, with the strong cells in bold."""
        return [
            [
                bold(escape(cell)) if (r, c) in self.strong else escape(cell)
                for c, cell in enumerate(row)
            ]
            for r, row in enumerate(self.sparse())
        ]

    def sparse(self) -> list[list[str]]:
        """Return the rows with repeated words left blank, except in the last column of words."""
        sparse, above = [], [""] * self.labels
        for row in self.rows:
            row, words = list(row), list(row[: self.labels])
            for column in range(self.labels - 1):
                if words[: column + 1] == above[: column + 1]:
                    row[column] = ""
            sparse.append(row)
            above = words
        return sparse


def latex(text: str) -> str:
    """Return text with everything escaped that means something to LaTeX."""
    return text.translate(_LATEX)


@dataclass(frozen=True)
class Document:
    """Tables that belong together, and the numbers behind them.

    Attributes:
        title: one line.
        intro: what is shown and how it was measured.
        tables: the tables to read.
        numbers: rows for the CSV file, every cell as text with fixed decimals.
    """

    title: str
    intro: str
    tables: Sequence[TextTable]
    numbers: "pd.DataFrame"

    def to_markdown(self) -> str:
        """Return title, introduction and tables in Markdown."""
        parts = [f"## {self.title}\n", f"{self.intro}\n"]
        return "\n".join([*parts, *(table.to_markdown() for table in self.tables)])

    def to_latex(self) -> str:
        """Return the tables as LaTeX floats; the introduction stands before them as text."""
        return "\n".join([latex(self.intro) + "\n", *(table.to_latex() for table in self.tables)])
