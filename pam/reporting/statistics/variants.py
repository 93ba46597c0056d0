"""Experiments of one profile that are alike but for one thing: a property, or the protocol."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pam.reporting.run import Run
from pam.reporting.statistics.matched import DEFAULT_DELTA
from pam.reporting.statistics.pruning_path import MEAN

REQUESTS = ("one task", "any request", "all tasks")
_LEAST = 3
"""Experiments that make a sweep."""

Section = Mapping[str, Any]
"""An experiment as the manifest's configuration has it."""


def sweeps(run: Run) -> dict[str, dict[str, float]]:
    """Return what varies -> experiment -> its value, where experiments are alike but for it.

    Of several with the same value the first counts; the others stand alone. Controls that only
    some of them have make no difference.
    """
    found: dict[str, dict[str, float]] = {}
    for label, (value, without) in _AXES.items():
        have = {name: one for name, one in run.sections.items() if value(one) is not None}
        have = _with_common_rows(have)
        places = {name: value(section) for name, section in have.items()}
        groups = [_first_of_each(names, places) for names in _alike(have, without)]
        largest = max(groups, key=len, default={})
        if len(largest) >= _LEAST:
            found[label] = largest
    return found


def protocols(run: Run) -> list[list[str]]:
    """Return the groups of experiments that differ in epochs, rates, paths and ``init`` alone.

    They have the same data, networks, mergers and pruners; each group is in the profile's order.
    """
    groups = _alike(run.sections, _without_schedules)
    return [names for names in groups if len(names) > 1]


def sweep_rows(run: Run) -> pd.DataFrame:
    """Return the rows of ``requests.csv`` of all sweeps, with ``sweep``, ``x`` and ``request``.

    Of the pruner of the baselines (``own``), and of all pruners that are compared with it, such as
    groups learned while pruning.
    """
    every = run.rows("requests", requirement=MEAN, delta=DEFAULT_DELTA)
    prunings = every["pruning"].unique()
    beside = [run.names.beside(name, prunings) for name in every["pruning"]]
    first = run.names.order_prunings(beside)[:1]
    every = every.assign(own=every["pruning"] == beside)[np.isin(beside, first)]
    most = every["experiment"].map({name: len(one["tasks"]) for name, one in run.sections.items()})
    asked = [every["n_tasks"] == 1, every["n_tasks"].isna(), every["n_tasks"] == most]
    every = every.assign(request=np.select(asked, REQUESTS, ""))
    every = every[every["request"] != ""]
    parts = [
        every[every["experiment"].isin(list(places))].assign(
            sweep=label, x=lambda rows, places=places: rows["experiment"].map(places)
        )
        for label, places in sweeps(run).items()
    ]
    return pd.concat(parts) if parts else every[:0].assign(sweep="", x=np.nan)


def varied(run: Run) -> set[str]:
    """Return the experiments that tables of their own tell of: sweeps, and protocols."""
    swept = {name for places in sweeps(run).values() for name in places}
    return swept | {name for names in protocols(run) for name in names}


def _alike(sections: Mapping[str, Section], rest: Callable[[Section], Any]) -> list[list[str]]:
    """Return the names of sections that have the same rest, the groups in order of appearance."""
    groups: dict[str, list[str]] = {}
    for name, section in sections.items():
        groups.setdefault(json.dumps(rest(section), sort_keys=True), []).append(name)
    return list(groups.values())


def _with_common_rows(sections: Mapping[str, Section]) -> dict[str, Section]:
    """Return sections with the rows of mergers and pruners that all have, whoever is pruned."""
    common = {
        key: set.intersection(*({*(one.get(key) or ())} for one in sections.values()))
        for key in ("merging", "pruning")
        if sections
    }
    return {
        name: section
        | {
            key: {
                row: {option: value for option, value in options.items() if option != "mergings"}
                for row, options in (section.get(key) or {}).items()
                if row in rows
            }
            for key, rows in common.items()
        }
        for name, section in sections.items()
    }


def _first_of_each(names: Iterable[str], places: Mapping[str, float]) -> dict[str, float]:
    """Return the first of the names at every place, in their order."""
    first: dict[float, str] = {}
    for name in names:
        first.setdefault(places[name], name)
    return {name: place for place, name in first.items()}


def _without_schedules(section: Section) -> Section:
    names = {key: sorted(section.get(key) or ()) for key in ("merging", "pruning")}
    return {**section, **names, "train": None, "init": None}


def _in_common(section: Section) -> float | None:
    """Return the percentage of its labels that a task has in common with all others."""
    data = section["data"]
    share = data.get("overlap")
    if share is None and isinstance(tasks := data.get("tasks"), Mapping):
        labels = [{*tasks[task]} for task in section["tasks"] if task in tasks]
        if len(labels) > 1 and len({len(one) for one in labels}) == 1:
            share = len(set.intersection(*labels)) / len(labels[0])
    return None if share is None else round(100 * share, 1)


def _width(section: Section) -> float | None:
    return (section.get("network") or {}).get("widths", [None])[0]


def _without_labels(section: Section) -> Section:
    data = {key: section["data"][key] for key in section["data"] if key not in ("overlap", "tasks")}
    return {**section, "data": data}


def _without_number(section: Section) -> Section:
    return {**_without_labels(section), "tasks": None, "in common": _in_common(section)}


_AXES: dict[str, tuple[Callable[[Section], float | None], Callable[[Section], Section]]] = {
    "labels in common (%)": (_in_common, _without_labels),
    "tasks": (lambda section: len(section["tasks"]), _without_number),
    "units of the first layer": (_width, lambda section: {**section, "network": None}),
}
