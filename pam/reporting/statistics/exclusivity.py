"""What an all-shared, pruned network loses with the neurons that are most exclusive to a task."""

from pathlib import Path

import numpy as np
import pandas as pd

from pam.reporting.names import merging_name, order_mergings, order_prunings, pruning_name
from pam.reporting.schema import natural_key
from pam.reporting.statistics.bootstrap import Estimate, mean_interval
from pam.reporting.statistics.curves import SHARED, pruned, select
from pam.reporting.statistics.matched import OK
from pam.reporting.statistics.operating_points import chosen_strengths, strength_of
from pam.reporting.storage import read_table, read_text_table
from pam.reporting.tables.cells import interval
from pam.reporting.tables.comparison import setting
from pam.reporting.tables.text_table import Document, TextTable

_PLACE = ["pruning", "merging", "layer", "exclusive_to"]


def removals(folder: str | Path, experiment: str) -> pd.DataFrame:
    """Return the rows of ``exclusivity.csv`` of one network per (pruning, merging, seed).

    It is the one of the operating point with all tasks running; where that was not looked into,
    the least pruned one that was.
    """
    rows = select(read_table(folder, "exclusivity"), experiment=experiment, status=OK)
    chosen = {
        (row["pruning"], row["merging"], row["seed"]): strength_of(SHARED, row["strengths"])
        for row in chosen_strengths(folder, experiment).to_dict("records")
    }
    kept = [rows[:0]]
    for cell, networks in pruned(rows).groupby(["pruning", "merging", "seed"]):
        due = np.isclose(networks["strength"], chosen.get(cell, np.nan), rtol=0, atol=1e-6)
        least = networks["strength"] == networks["strength"].min()
        kept.append(networks[due if due.any() else least])
    return pd.concat(kept)


def exclusivity(folder: Path, experiment: str) -> Document | None:
    """Return what half a layer's neurons are worth to each task; None where none were removed."""
    rows = removals(folder, experiment)
    if rows.empty:
        return None
    # Groups come sorted by name; the tables have the paper's order.
    cells = {place: group for place, group in rows.groupby(_PLACE)}
    body = [
        _row(place, cells[place], experiment)
        for pruning in order_prunings(rows["pruning"])
        for merging in order_mergings(rows["merging"])
        for layer in sorted(rows["layer"].unique(), key=natural_key)
        for favourite in sorted(rows["exclusive_to"].unique())
        for place in [(pruning, merging, layer, favourite)]
        if place in cells
    ]
    header = ["pruning", "merging", "layer", "exclusive to", "n", "removed", "this task", "others"]
    raw = select(read_text_table(folder, "exclusivity"), experiment=experiment)
    return Document(
        title=f"{setting(raw)}: task-specific neurons of a pruned, shared network",
        intro="Loss of test accuracy, in percentage points, once half of a layer's neurons are "
        "gone, those most exclusive to one task first: of that task, and the mean of the others. "
        "The network is the cheapest one within 1 percentage point of the single-task networks on "
        "validation data, or the least pruned one. In square brackets: 95 % bootstrap interval "
        "over seeds.",
        tables=[TextTable("Loss of accuracy (percentage points)", header, body, 4)],
        numbers=raw,
    )


def _row(place: tuple[str, str, str, str], rows: pd.DataFrame, experiment: str) -> list[str]:
    pruning, merging, layer, favourite = place
    half = rows.groupby("seed")["step"].max().min() // 2
    own, others = (
        _loss(rows[(rows["task"] == favourite) == is_own], half, experiment)
        for is_own in (True, False)
    )
    labels = [pruning_name(pruning), merging_name(merging), layer, favourite]
    return [*labels, f"{own.n}", f"{half:.0f}", *(_cell(loss) for loss in (own, others))]


def _loss(rows: pd.DataFrame, step: float, experiment: str) -> Estimate:
    """Return the accuracy lost between no and ``step`` removed neurons, mean over tasks."""
    before, after = (
        select(rows, step=number).groupby("seed")["accuracy"].mean() for number in (0, step)
    )
    loss = (100 * (before - after)).dropna()
    return mean_interval(list(loss), list(loss.index), experiment)


def _cell(loss: Estimate) -> str:
    return interval(loss.mean, loss.low, loss.high, ".1f")
