"""How much two networks share, against how much the labels of their tasks have in common."""

from pathlib import Path

import pandas as pd

from pam.reporting.names import merging_name, order_mergings
from pam.reporting.schema import natural_key
from pam.reporting.statistics.bootstrap import mean_interval
from pam.reporting.statistics.curves import select
from pam.reporting.statistics.matched import OK
from pam.reporting.storage import read_table, read_text_table
from pam.reporting.tables.cells import interval
from pam.reporting.tables.comparison import setting
from pam.reporting.tables.text_table import Document, TextTable

ALL_LAYERS = "all layers"
PARTS = ("shared", "exclusive", "removed")
KEPT = "shared of kept"

_PAIR = ["merging", "task_a", "task_b"]


def shares(folder: str | Path, experiment: str) -> pd.DataFrame:
    """Return the share of neurons that are shared, exclusive and removed, means over seeds.

    Returns:
        One row per (merging, pair, layer, part), pairs by increasing label information:
        ``n``, ``mean``, ``low``, ``high`` in percent of the candidates (``shared of kept``: of
        those not removed), and ``information``, the mutual information of the two tasks' labels
        in nats. The layer ``all layers`` is the sum of the others. No rows without data.
    """
    rows = select(read_table(folder, "relatedness"), experiment=experiment, status=OK)
    counts = ["neurons", "shared", "exclusive_a", "exclusive_b", "removed"]
    how = dict.fromkeys(counts, "sum") | {"label_information_nats": "mean"}
    whole = rows.groupby([*_PAIR, "seed"], as_index=False).agg(how).assign(layer=ALL_LAYERS)
    rows = pd.concat([rows[whole.columns], whole], ignore_index=True)
    rows["exclusive"] = rows["exclusive_a"] + rows["exclusive_b"]
    found = []
    for (*pair, layer), cells in rows.groupby([*_PAIR, "layer"]):
        place = {**dict(zip(_PAIR, pair, strict=True)), "layer": layer}
        place["information"] = cells["label_information_nats"].mean()
        percent = {part: 100 * cells[part] / cells["neurons"] for part in PARTS}
        percent[KEPT] = 100 * cells["shared"] / (cells["neurons"] - cells["removed"])
        for part, values in percent.items():
            estimate = mean_interval(list(values), list(cells["seed"]), experiment)
            found.append(place | {"part": part} | estimate._asdict())
    return pd.DataFrame(found).sort_values("information", kind="stable") if found else rows[:0]


def layers_of(found: pd.DataFrame) -> list[str]:
    """Return the layers of :func:`shares` in order, all of them together first."""
    return sorted(set(found["layer"]), key=lambda name: (name != ALL_LAYERS, natural_key(name)))


def relatedness(folder: Path, experiment: str) -> Document | None:
    """Return shared, exclusive and removed neurons per pair of tasks; None without data."""
    found = shares(folder, experiment)
    if found.empty:
        return None
    layers = layers_of(found)
    cells = {
        (row["merging"], row["task_a"], row["task_b"], row["layer"], row["part"]): row
        for row in found.to_dict("records")
    }
    places = [
        place
        for merging in order_mergings(found["merging"])
        for place in dict.fromkeys(
            select(found, merging=merging)[_PAIR].itertuples(index=False, name=None)
        )
    ]
    labels = [
        [
            merging_name(place[0]),
            f"{place[1]}, {place[2]}",
            f"{cells[*place, ALL_LAYERS, KEPT]['information']:.2f}",
        ]
        for place in places
    ]
    whole = [
        [*words, f"{cells[*place, ALL_LAYERS, 'shared']['n']}"]
        + [_cell(cells[*place, ALL_LAYERS, part]) for part in (*PARTS, KEPT)]
        for words, place in zip(labels, places, strict=True)
    ]
    by_layer = [
        [*words, *(_cell(cells.get((*place, layer, KEPT))) for layer in layers[1:])]
        for words, place in zip(labels, places, strict=True)
    ]
    raw = select(read_text_table(folder, "relatedness"), experiment=experiment)
    header = ["merging", "tasks", "label MI (nats)"]
    return Document(
        title=f"{setting(raw)}: what related tasks share",
        intro="Neurons of two networks, in percent: shared, exclusive to one task, removed; pairs "
        "of tasks by the mutual information of their labels. In square brackets: 95 % bootstrap "
        "interval over seeds.",
        tables=[
            TextTable(
                "All layers (% of neurons)", [*header, "n", *PARTS, KEPT], whole, len(header)
            ),
            TextTable("Shared (% of the kept neurons)", [*header, *layers[1:]], by_layer, 3),
        ],
        numbers=raw,
    )


def _cell(row: dict | None) -> str:
    return "—" if row is None else interval(row["mean"], row["low"], row["high"], ".1f")
