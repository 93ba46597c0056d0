"""Networks and epochs of a path, counted from the rows of the curves of training."""

from types import SimpleNamespace

import pandas as pd

from pam.reporting.tables.networks import path_training, paths_table

COLUMNS = ["stage", "pruning", "merging", "seed", "task", "strength"]


def epochs(task: str, seed: int, penalty: list[float], tuned: list[float]) -> list[tuple]:
    """One epoch under the penalty of every strength, three of fine-tuning of every network."""
    rows = [("prune", "vibnet", "none", seed, task, strength) for strength in penalty]
    return rows + 3 * [("fine_tune", "vibnet", "none", seed, task, strength) for strength in tuned]


def run_of(rows: list[tuple]) -> SimpleNamespace:
    frame = pd.DataFrame(rows, columns=COLUMNS)
    names = SimpleNamespace(pruning=str, merging=str, order_prunings=sorted, order_mergings=sorted)
    return SimpleNamespace(rows=lambda name, experiment: frame, names=names)


def test_parts_are_counted_each_alone_and_seeds_averaged():
    rows = epochs("A", 0, [1, 2], [2]) + epochs("B", 0, [1, 2, 3, 4], [2, 4])
    rows += epochs("A", 1, [1, 2, 3], [3]) + epochs("B", 1, [1, 2, 3], [])
    rows += [("train", "", "", 0, "A", None), ("merge", "", "none", 0, "A", None)]
    trained = path_training(run_of(rows), "e")["vibnet", "none"]
    assert trained.networks == (2, 1.0, 0.5, 1.5)
    assert trained.pruning == (2, 3.0, 3.0, 3.0)
    assert trained.fine_tuning == (2, 3.0, 1.5, 4.5)
    assert trained.epochs == (2, 6.0, 4.5, 7.5)


def test_a_pruner_that_only_fine_tunes_has_no_epochs_of_its_own():
    rows = [("fine_tune", "taylor", "pam", 0, "A", 0.5)] * 2
    run = run_of(rows)
    assert path_training(run, "e")["taylor", "pam"].pruning.mean == 0
    assert paths_table(run, "e").rows == [["taylor", "pam", "1.0", "0", "2.0", "2.0"]]


def test_without_pruning_there_is_an_empty_table():
    assert not paths_table(run_of([("train", "", "", 0, "A", None)]), "e").rows
