"""How many networks the path of every row has, and how much training it took."""

from typing import NamedTuple

from pam.reporting.run import Run
from pam.reporting.statistics.intervals import Estimate, mean_interval
from pam.reporting.tables.cell_text import brackets, interval, noted_table
from pam.reporting.tables.text_table import TextTable

_PHASES = ("prune", "fine_tune")


class Training(NamedTuple):
    """What a path took of a task's network; each a mean over tasks, and then over seeds.

    Attributes:
        networks: that were taken, and fine-tuned.
        pruning: epochs under the penalty of the pruner, or of what it trains between two networks.
        fine_tuning: epochs of fine-tuning, of all networks together.
        epochs: in all.
    """

    networks: Estimate
    pruning: Estimate
    fine_tuning: Estimate
    epochs: Estimate


def path_training(run: Run, experiment: str) -> dict[tuple[str, str], Training]:
    """Return (pruning, merging) -> its training; of networks that share nothing, of each alone."""
    rows = run.rows("training", experiment=experiment)
    rows = rows[rows["stage"].isin(_PHASES)]
    axes = ["pruning", "merging", "seed", "task"]
    epochs = rows.groupby([*axes, "stage"]).size().unstack("stage", fill_value=0)
    epochs = epochs.reindex(columns=_PHASES, fill_value=0)
    tuned = rows[rows["stage"] == "fine_tune"].groupby(axes)["strength"].nunique()
    every = epochs.assign(networks=tuned, epochs=epochs.sum(axis=1)).fillna({"networks": 0})
    columns = ["networks", *_PHASES, "epochs"]
    return {
        place: Training(*(mean_interval(seeds[column]) for column in columns))
        for place, part in every.groupby(["pruning", "merging"])
        for seeds in [part.groupby("seed")[columns].mean()]
    }


def paths_table(run: Run, experiment: str) -> TextTable:
    """Return networks and epochs of every row."""
    trained, names = path_training(run, experiment), run.names
    rows = [
        [names.pruning(pruning), names.merging(merging)]
        + [interval(*part[1:], ".1f") if part.mean else "0" for part in trained[pruning, merging]]
        for pruning in names.order_prunings({pruning for pruning, _ in trained})
        for merging in names.order_mergings({one for other, one in trained if other == pruning})
    ]
    header = ["pruning", "merging", "networks", "epochs of pruning", "of fine-tuning", "in all"]
    most = max((one.epochs.n for one in trained.values()), default=0)
    notes = [f"Of a task's network, from the first strength to the last. {brackets(most)}"]
    return noted_table("Networks and training of a path", header, rows, 2, notes=notes)
