"""How much two networks share, against how much the labels of their tasks have in common."""

import pandas as pd

from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.bootstrap import Estimate, mean_interval
from pam.reporting.statistics.matched import OK

ALL_LAYERS = "all layers"
PARTS = ("shared", "exclusive", "removed")
KEPT = "shared of kept"
PAIR = ["merging", "task_a", "task_b"]


def shares(run: Run, experiment: str) -> pd.DataFrame:
    """Return the share of neurons that are shared, exclusive and removed, means over seeds.

    Returns:
        One row per (merging, pair, layer, part), pairs by increasing label information:
        ``n``, ``mean``, ``low``, ``high`` in percent of the candidates (``shared of kept``: of
        those not removed), and ``information``, the mutual information of the two tasks' labels
        in nats. The layer ``all layers`` is the sum of the others. No rows without data.
    """
    rows = run.rows("relatedness", experiment=experiment, status=OK)
    counts = ["neurons", "shared", "exclusive_a", "exclusive_b", "removed"]
    how = dict.fromkeys(counts, "sum") | {"label_information_nats": "mean"}
    whole = rows.groupby([*PAIR, "seed"], as_index=False).agg(how).assign(layer=ALL_LAYERS)
    rows = pd.concat([rows[whole.columns], whole], ignore_index=True)
    rows["exclusive"] = rows["exclusive_a"] + rows["exclusive_b"]
    percent = {part: 100 * rows[part] / rows["neurons"] for part in PARTS}
    percent[KEPT] = 100 * rows["shared"] / (rows["neurons"] - rows["removed"])
    rows = rows.assign(**percent)
    estimates = []
    for place, cells in rows.groupby([*PAIR, "layer"]):
        information = cells["label_information_nats"].mean()
        estimates += [
            (*place, information, part, *mean_interval(cells[part], cells["seed"], experiment))
            for part in percent
        ]
    columns = [*PAIR, "layer", "information", "part", *Estimate._fields]
    return pd.DataFrame(estimates, columns=columns).sort_values("information", kind="stable")


def layers_of(shared: pd.DataFrame) -> list[str]:
    """Return the layers of :func:`shares` in order, all of them together first."""
    layers = sorted(set(shared["layer"]) - {ALL_LAYERS}, key=natural_key)
    return [ALL_LAYERS, *layers]
