"""The largest factors of all runs beside the abstract's 4.87 and 2.01."""

import pandas as pd

from pam.reporting.names import merging_name, pruning_name
from pam.reporting.pages.reproduction.beside import NOT_RUN
from pam.reporting.pages.reproduction.references import Reference
from pam.reporting.published import published
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import DEFAULT_DELTA, REFERENCES
from pam.reporting.storage import read_table
from pam.reporting.tables.cells import factor_cell
from pam.reporting.tables.text_table import TextTable

_PAPERS, _OURS = "PAM", "its variants"


def headline_tables(references: list[Reference]) -> list[TextTable]:
    """Return the largest factors over all runs, and those of every run and experiment."""
    rows = [
        select(read_table(reference.folder, "headline"), delta=DEFAULT_DELTA).assign(
            profile=reference.profile
        )
        for reference in references
    ]
    found = (
        pd.concat(rows, ignore_index=True)
        if rows
        else pd.DataFrame(columns=["against", "merging", "factor"])
    )
    return [_largest(found), _all(found)] if len(found) else [_largest(found)]


def _largest(found: pd.DataFrame) -> TextTable:
    """Return per baseline the largest factor of PAM itself and of the methods grown from it."""
    reported = published("headline").set_index("against")["factor"]
    rows = []
    for against in REFERENCES:
        for family in (_PAPERS, _OURS):
            of_family = (found["merging"] == "pam") == (family == _PAPERS)
            own = found[(found["against"] == against) & of_family]
            best = None if own.empty else own.loc[own["factor"].astype(float).idxmax()]
            rows.append([merging_name(against), family, *_cells(best, reported[against])])
    header = ["against", "merger", "reported", "measured", "difference", "n"]
    header += ["profile", "experiment", "pruning", "tasks"]
    return TextTable("Largest factor over all runs", header, rows, 2)


def _cells(best: pd.Series | None, reported: float) -> list[str]:
    if best is None:
        return [f"{reported:.2f} ×", NOT_RUN, *["—"] * 6]
    difference = f"{best['factor'] - reported:+.2f}".replace("-", "−")
    where = [f"`{best['profile']}`", best["experiment"], pruning_name(best["pruning"])]
    return [
        *(f"{reported:.2f} ×", factor_cell(best), difference, f"{best['n']:.0f}"),
        *(*where, best["combination"]),
    ]


def _all(found: pd.DataFrame) -> TextTable:
    # "none" is B1, "mtz" is B2.
    axes = ["profile", "experiment", "against", "merging"]
    found = found.sort_values(axes, ascending=[True, True, False, True])
    rows = [
        [
            *(f"`{row['profile']}`", row["experiment"], merging_name(row["against"])),
            *(merging_name(row["merging"]), pruning_name(row["pruning"]), row["combination"]),
            *(f"{row['paper']:.2f} ×", factor_cell(row), f"{row['n']:.0f}"),
        ]
        for row in found.to_dict("records")
    ]
    header = ["profile", "experiment", "against", "merger", "pruning", "tasks"]
    return TextTable("Of every run", [*header, "reported", "measured", "n"], rows, 6)
