"""Rows of the CSV files, from what the library returns."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def training_rows(
    curve: Iterable[Mapping[str, Any]], stage: str, axes: Mapping[str, Any], strength: float = 0
) -> list[Row]:
    """Return the rows of ``training.csv`` of one curve: one per epoch and task.

    Args:
        curve: epochs, each with ``epoch``, ``learning_rate``, ``loss`` and
            ``validation_accuracy`` (task -> fraction), and ``phase`` where a stage has several.
        stage: ``"train"``, ``"merge"`` or ``"prune"``; the phase, if any, is named instead.
        axes: experiment, dataset, architecture, merging, pruning and seed.
        strength: the pruning strength that the curve leads to.
    """
    names = ("experiment", "dataset", "architecture", "merging", "pruning", "seed")
    common = {name: axes.get(name, "") for name in names}
    return [
        {
            **common,
            "stage": epoch.get("phase", stage),
            "strength": strength,
            "task": task,
            "step": step,
            "epoch": epoch["epoch"] + 1,
            "learning_rate": epoch["learning_rate"],
            "loss": epoch["loss"],
            "validation_accuracy": accuracy,
        }
        for step, epoch in enumerate(curve)
        for task, accuracy in epoch["validation_accuracy"].items()
    ]


def noted_rows(notes: Mapping[str, Any], axes: Mapping[str, Any]) -> Rows:
    """Return the rows that a merger noted, with the columns that name its cell."""
    common = {name: axes[name] for name in ("experiment", "architecture", "merging", "seed")}
    return {
        table: [{**common, **row} for row in rows] for table, rows in notes.get("rows", {}).items()
    }


def without_nan(value: Any) -> Any:
    """Return a JSON-able value with None for every number that is not finite."""
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
