"""The result of a comparison with a reference run, as text and as CSV."""

import numpy as np
import pandas as pd

from pam.files import write_text
from pam.reporting.statistics.check import (
    CELL,
    DIFFERENT,
    IDENTICAL,
    MISSING,
    NEW,
    NOT_TESTABLE,
    ON_PATH,
    SAME,
    Check,
    groups,
    smallest_found,
)
from pam.reporting.tables.text_table import TextTable

MOST_ROWS = 30
_LABELS = tuple(name for name in CELL if name not in ("dataset", "architecture"))
_UNITS = {"accuracy": ("accuracy (%)", 100.0), "log_flops": ("log FLOPs", 1.0)}


def report(check: Check) -> str:
    """Return what was compared, how, and the cells that differ or are missing, in Markdown."""
    return "\n".join(
        [*_rows_lines(check), *_cell_lines(check), "", *_tables(check), _verdict(check)]
    )


def write_cells(check: Check, path: str) -> None:
    """Write every cell and quantity with statistics, p values and verdict as CSV."""
    write_text(path, check.cells.to_csv(index=False, lineterminator="\n", float_format="%.10g"))


def _rows_lines(check: Check) -> list[str]:
    rows = check.rows
    lines = [
        f"rows of the same cell and seed: {rows.common}",
        f"byte-identical rows: {rows.identical} of {rows.common}",
        f"rows with the same numbers, whatever their code: {rows.equal} of {rows.common}",
    ]
    if rows.unsteady:
        lines.append(
            f"rows of the same code, settings, data and device with other numbers: {rows.unsteady}"
        )
    if rows.other_settings:
        lines.append(f"rows of other settings than the reference's: {rows.other_settings}")
    return lines


def _cell_lines(check: Check) -> list[str]:
    """Return how many values, a cell's accuracy or cost, had which verdict, and by which test."""
    counts = check.cells["verdict"].value_counts()
    tests = int(check.cells["p"].notna().sum())
    lines = [
        f"compared: {len(check.cells)} values (accuracy and log FLOPs of every cell)",
        f"  {counts.get(IDENTICAL, 0)} identical for every seed",
        f"  {tests} tested: two-sided Welch t-test, level {check.level:g}, corrected "
        f"for {tests} tests (Benjamini-Hochberg)",
        f"    {counts.get(SAME, 0)} show no difference, {counts.get(DIFFERENT, 0)} differ",
    ]
    if tests:
        lines.append(
            "    if a single cell differed, half of the tests would find it from "
            f"{_sensitivity(check):.2g} percentage points of accuracy on"
        )
    for verdict, words in (
        (NOT_TESTABLE, "not testable: other values, and only one seed on a side, or other seeds"),
        (MISSING, "missing: the reference has them, this run has not, or they failed"),
        (NEW, "new: the reference has not got them"),
        (ON_PATH, "elsewhere on a path: another machine keeps networks of other strengths"),
    ):
        lines += [f"  {counts[verdict]} {words}"] if verdict in counts else []
    return lines


def _sensitivity(check: Check) -> float:
    """Return the median difference of accuracies, in percentage points, that a test would find.

    It is that of the smallest p value, which has to stand the correction for all tests.
    """
    tested = check.cells[check.cells["p"].notna()]
    of_accuracy = tested[tested["quantity"] == "accuracy"]
    differences = smallest_found(*groups(of_accuracy), check.level / len(tested))
    return 100 * float(np.median(differences))


def _tables(check: Check) -> list[str]:
    different = check.of_verdict(DIFFERENT).sort_values("p_corrected", kind="stable")
    tables = []
    if len(different):
        header = [*_LABELS, "quantity", "run", "reference", "corrected p"]
        rows = [
            [*_labels(row), _UNITS[row["quantity"]][0], *sides, f"{row['p_corrected']:.2g}"]
            for _, row in different.head(MOST_ROWS).iterrows()
            for sides in [(_side(row, "run"), _side(row, "reference"))]
        ]
        tables.append(_table("Cells that differ: mean ± sd (n)", header, rows, len(different)))
    for verdict, title in ((MISSING, "Missing cells"), (NEW, "Cells only this run has")):
        cells = check.of_verdict(verdict).drop_duplicates(list(CELL))
        if len(cells):
            rows = [_labels(row) for _, row in cells.head(MOST_ROWS).iterrows()]
            tables.append(_table(title, list(_LABELS), rows, len(cells)))
    return tables


def _table(title: str, header: list[str], rows: list[list[str]], total: int) -> str:
    left_out = total - len(rows)
    notes = [f"and {left_out} more, which --out writes"] if left_out else []
    return TextTable(title, header, rows, labels=len(_LABELS), notes=notes).to_markdown()


def _labels(row: pd.Series) -> list[str]:
    return [f"{row[name]:g}" if name == "strength" else str(row[name]) for name in _LABELS]


def _side(row: pd.Series, side: str) -> str:
    """Return mean, standard deviation and number of one side of a cell."""
    _, scale = _UNITS[row["quantity"]]
    mean, sd = (scale * row[f"{name}_{side}"] for name in ("mean", "sd"))
    return f"{mean:.4g} ± {sd:.2g} (n = {row[f'n_{side}']})"


def _verdict(check: Check) -> str:
    if check.agrees:
        if check.cells["p"].isna().all() and not check.of_verdict(NOT_TESTABLE).empty:
            return "Nothing could be tested with so few seeds: see how many rows are identical."
        return "The run agrees with the reference."
    different = len(check.of_verdict(DIFFERENT).drop_duplicates(list(CELL)))
    missing = len(check.of_verdict(MISSING).drop_duplicates(list(CELL)))
    return (
        f"The run does not agree with the reference: {different} cells differ, "
        f"{missing} are missing."
    )
