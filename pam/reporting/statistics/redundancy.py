"""How much the exclusive groups of two tasks repeat each other, before and after pruning."""

from pathlib import Path

import pandas as pd

from pam.reporting.names import merging_name, order_mergings, order_prunings, pruning_name
from pam.reporting.schema import natural_key
from pam.reporting.statistics.bootstrap import mean_interval
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import OK
from pam.reporting.storage import read_table, read_text_table
from pam.reporting.tables.cells import interval
from pam.reporting.tables.comparison import setting
from pam.reporting.tables.text_table import Document, TextTable

BEFORE, AFTER = "before", "after"
QUANTITIES = ("mean_max_correlation", "max_correlation")

_PLACE = ["pruning", "merging", "layer"]


def before_and_after(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of unpruned networks and, of every seed, of the most pruned ones.

    Args:
        rows: rows with the axes of a cell: of ``redundancy.csv`` or ``redundancy_samples.csv``.

    Returns:
        The same columns and ``stage``, ``before`` or ``after``.
    """
    strongest = rows.groupby(["pruning", "merging", "seed"])["strength"].transform("max")
    before, after = rows["strength"] == 0, (rows["strength"] > 0) & (rows["strength"] == strongest)
    return pd.concat([rows[before].assign(stage=BEFORE), rows[after].assign(stage=AFTER)])


def correlations(folder: str | Path, experiment: str) -> pd.DataFrame:
    """Return the correlation between exclusive groups, means over seeds.

    Returns:
        One row per (pruning, merging, layer, stage, quantity): ``n``, ``mean``, ``low``, ``high``
        of the absolute Pearson correlation, over all pairs of tasks. No rows without data.
    """
    rows = select(read_table(folder, "redundancy"), experiment=experiment, status=OK)
    rows = before_and_after(rows.dropna(subset=list(QUANTITIES)))
    found = []
    for (*place, stage), cells in rows.groupby([*_PLACE, "stage"]):
        # One value per seed: pairs of tasks of one network are no further observations.
        seeds = cells.groupby("seed")[list(QUANTITIES)].mean()
        for quantity in QUANTITIES:
            estimate = mean_interval(list(seeds[quantity]), list(seeds.index), experiment)
            axes = {**dict(zip(_PLACE, place, strict=True)), "stage": stage, "quantity": quantity}
            found.append(axes | estimate._asdict())
    columns = [*_PLACE, "stage", "quantity", "n", "mean", "low", "high"]
    return pd.DataFrame(found, columns=columns)


def redundancy(folder: Path, experiment: str) -> Document | None:
    """Return the correlation between exclusive groups before and after; None without data."""
    found = correlations(folder, experiment)
    if found.empty:
        return None
    axes = [*_PLACE, "stage", "quantity"]
    cells = {tuple(row[axis] for axis in axes): row for row in found.to_dict("records")}
    rows = [
        [pruning_name(pruning), merging_name(merging), layer]
        + [str(_n(cells, (pruning, merging, layer)))]
        + [
            _cell(cells.get((pruning, merging, layer, stage, quantity)))
            for quantity in QUANTITIES
            for stage in (BEFORE, AFTER)
        ]
        for pruning in order_prunings(found["pruning"])
        for merging in order_mergings(select(found, pruning=pruning)["merging"])
        for layer in sorted(
            set(select(found, pruning=pruning, merging=merging)["layer"]), key=natural_key
        )
    ]
    header = ["pruning", "merging", "layer", "n", "mean, before", "mean, after"]
    header += ["largest, before", "largest, after"]
    raw = select(read_text_table(folder, "redundancy"), experiment=experiment)
    return Document(
        title=f"{setting(raw)}: redundancy between exclusive groups",
        intro="Absolute Pearson correlation between neurons exclusive to one task and neurons "
        "exclusive to another, before pruning and in the most pruned networks that have both. "
        "Mean: of every neuron with the one of the other group that it resembles most; largest: "
        "of the most similar pair. In square brackets: 95 % bootstrap interval over seeds.",
        tables=[TextTable("Correlation of exclusive neurons", header, rows, 3)],
        numbers=raw,
    )


def _n(cells: dict, place: tuple[str, str, str]) -> int:
    """Return the smaller number of seeds of the two stages that were measured."""
    stages = [cells.get((*place, stage, QUANTITIES[0])) for stage in (BEFORE, AFTER)]
    return min(row["n"] for row in stages if row)


def _cell(row: dict | None) -> str:
    return "—" if row is None else interval(row["mean"], row["low"], row["high"], ".2f")
