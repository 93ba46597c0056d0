"""What the explorer of a report draws: rows of the CSV files, and one chart of each kind."""

import base64
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pam.reporting.figures.panels import merging_looks
from pam.reporting.figures.style import group_looks
from pam.reporting.names import order_combinations
from pam.reporting.run import Run
from pam.reporting.schema import natural_key
from pam.reporting.statistics.matched import DEFAULT_DELTA, OK, REFERENCES
from pam.reporting.statistics.operating_points import mean_groups
from pam.reporting.statistics.points import gap_rows, gap_sentence, pruned, pruned_networks
from pam.reporting.storage import select
from pam.reporting.tables.comparison import expected_costs
from pam.runs.cells import Cell
from pam.runs.paths import Paths

_PLACE = ["experiment", "pruning", "merging"]
NETWORKS = [*_PLACE, "seed", "strength", "combination", "flops", "accuracy", "accuracy_drop"]
NETWORKS += ["validation_accuracy", "validation_drop"]
COSTS = [*_PLACE, "requirement", "delta", "combination", "status", "n", "crossed"]
COSTS += [f"flops_{part}" for part in ("mean", "low", "high")]
COSTS += [f"flops_vs_{base}_{part}" for base in REFERENCES for part in ("mean", "low", "high", "p")]
GROUPS = [*_PLACE, "delta", "layer", "group", "neurons"]
GAPS = [*_PLACE, "delta", "text"]


def explorer_data(run: Run) -> dict[str, Any]:
    """Return all that the explorer of a run needs, JSON-able; no experiments if nothing was pruned.

    Raises:
        DataError: if a CSV file is missing or damaged.
    """
    networks = _networks(run)
    known = [name for name in run.experiments if (networks["experiment"] == name).any()]
    costs = [
        rows
        for name in known
        for rows in (run.rows("matched", experiment=name), expected_costs(run, experiment=name))
    ]
    paths = Paths(f"results/{run.profile}")
    return {
        "delta": DEFAULT_DELTA,
        "network": paths.artefact(Cell.pattern("prune")),
        "data": str(Path(paths.artefact(Cell.pattern("prepare"))).parent),
        "experiments": {name: _experiment(run, name) for name in known},
        "networks": _packed(networks, NETWORKS),
        "costs": _packed(pd.concat(costs) if costs else pd.DataFrame(columns=COSTS), COSTS),
        "groups": _packed(_groups(run, known), GROUPS),
        "gaps": _packed(_gaps(run), GAPS),
    }


def embedded(data: dict[str, Any]) -> str:
    """Return data as compressed JSON in letters that mean nothing to HTML."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


@cache
def library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script."""
    # Late: it starts a JavaScript engine of its own.
    import vl_convert

    return vl_convert.javascript_bundle().replace("</script", r"<\/script")


def _experiment(run: Run, name: str) -> dict[str, Any]:
    """Return the names of an experiment in the order of its tables, and its charts."""
    # Late: altair takes a second.
    from pam.reporting.pages.charts import charts

    names, measured = run.names, run.rows("measurements", experiment=name)
    groups = run.rows("groups", experiment=name)
    mergings = names.order_mergings(measured["merging"])
    looks = merging_looks(run, name, mergings)
    group_styles = group_looks(groups["group"])
    layers = sorted(groups["layer"].unique(), key=natural_key)
    return {
        "title": run.title(name),
        "mergings": {one: names.merging(one) for one in mergings},
        "colours": {names.merging(one): looks[names.merging(one)].colour for one in mergings},
        "prunings": {
            one: names.pruning(one) for one in names.order_prunings(measured["pruning"]) if one
        },
        "groups": {group: look.label for group, look in group_styles.items()},
        "combinations": [one for one in order_combinations(measured["combination"]) if one],
        "references": {one: names.merging(one) for one in REFERENCES},
        "charts": charts(looks, group_styles, layers),
    }


def _networks(run: Run) -> pd.DataFrame:
    """Return what was measured of every pruned network, with what it lost on validation data."""
    rows = pruned(select(run.table("measurements"), status=OK))
    key = ["experiment", "seed"]
    singles = run.table("accuracies").drop_duplicates([*key, "task"])
    column = "single_task_validation_accuracy"
    single = {tuple(row[:-1]): row[-1] for row in singles[[*key, "task", column]].to_numpy()}
    before = [
        np.mean([single.get((experiment, seed, task), np.nan) for task in combination.split("&")])
        for experiment, seed, combination in rows[[*key, "combination"]].to_numpy()
    ]
    drop = 100 * (np.array(before, dtype=np.float64) - rows["validation_accuracy"])
    return rows.assign(validation_drop=drop.round(4))


def _groups(run: Run, experiments: list[str]) -> pd.DataFrame:
    """Return the neurons of every group, per delta; those as merged have no pruning."""
    every = [pd.DataFrame(columns=GROUPS)]
    for name in experiments:
        for delta in sorted(run.rows("matched", experiment=name)["delta"].unique()):
            every.append(mean_groups(run, name, delta).assign(experiment=name, delta=delta))
    return pd.concat([rows for rows in every if len(rows)] or every)


def _gaps(run: Run) -> pd.DataFrame:
    deltas = sorted(run.table("matched")["delta"].unique())
    rows = [
        row | {"text": gap_sentence(run.names.merging(row["merging"]), row)}
        for row in gap_rows(pruned_networks(run), deltas)
    ]
    return pd.DataFrame(rows, columns=GAPS)


def _packed(rows: pd.DataFrame, columns: list[str]) -> dict[str, Any]:
    """Return columns and rows of a table, numbers as they stand in the CSV file, NaN as None."""
    cells = [[None if pd.isna(cell) else cell for cell in rows[name]] for name in columns]
    return {"columns": columns, "rows": [list(row) for row in zip(*cells, strict=True)]}
