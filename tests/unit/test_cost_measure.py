"""The rows of a cell: columns, accuracies against a slow count, costs of the very sub-networks."""

import pytest
import torch
from torch import nn

import pam
from pam.cost import (
    LatencyOptions,
    TaskAccuracy,
    failed_rows,
    macs,
    measure_network,
    paper_flops,
    task_accuracy,
)
from pam.data.dataset import MultitaskDataset, Split
from pam.networks import GroupedNetwork, architecture
from pam.training import evaluate
from pam.training.evaluate import task_accuracies

SHAPE = (1, 8, 12)
CELL_COLUMNS = ["experiment", "dataset", "architecture", "merging", "pruning", "strength", "seed"]
RUN_COLUMNS = ["threads", "device", "config_hash", "code_hash", "data_hash"]
COLUMNS = [
    *CELL_COLUMNS,
    *("combination", "n_tasks", "status"),
    *("accuracy", "validation_accuracy", "single_task_accuracy", "accuracy_drop"),
    *("flops", "macs", "parameters"),
    *RUN_COLUMNS,
]
CELL = dict(zip(CELL_COLUMNS, ("e", "random", "lenet5", "pam", "taylor", 0.5, 3), strict=True))
RUN = dict(zip(RUN_COLUMNS, (1, "cpu", "c0", "c1", "d0"), strict=True))
SINGLES = {"A": TaskAccuracy(0.9, 0.8), "B": TaskAccuracy(0.7, 0.6), "C": TaskAccuracy(0.5, 0.5)}


def split(samples, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (samples, *SHAPE), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 2, (samples, 5), generator=generator, dtype=torch.int8) * 2 - 1
    return Split(images, labels)


@pytest.fixture
def dataset():
    return MultitaskDataset(
        "random", split(4, 0), split(23, 1), split(37, 2), {"A": [4, 0], "B": [1], "C": [2, 3]},
        list("vwxyz"), [0.4], [0.3],
    )  # fmt: skip


@pytest.fixture
def network():
    groups = {frozenset("A"): 2, frozenset("AC"): 1, frozenset("ABC"): 3}
    widths = dict.fromkeys(("c1", "c2", "f3", "f4"), groups)
    torch.manual_seed(0)
    return GroupedNetwork(architecture("lenet5", SHAPE), {"A": 2, "B": 1, "C": 2}, widths)


def slow_accuracy(network, dataset, part, task):
    right = 0
    for image, label in zip(part.images, part.labels, strict=True):
        x = (image.double() / 255 - 0.4) / 0.3
        score = network(x.float()[None])[task][0]
        columns = dataset.tasks[task]
        right += sum(int(torch.sign(s) == label[c]) for s, c in zip(score, columns, strict=True))
    return right / (len(part) * len(dataset.tasks[task]))


@pytest.mark.parametrize("batch", [5, 37, 512])
def test_accuracy_is_the_share_of_right_signs(network, dataset, monkeypatch, batch):
    monkeypatch.setattr(evaluate, "BATCH_SIZE", batch)
    accuracy = task_accuracies(network, dataset, dataset.test)
    assert list(accuracy) == ["A", "B", "C"]
    for task, value in accuracy.items():
        assert value == slow_accuracy(network, dataset, dataset.test, task)


@pytest.mark.parametrize("score", [0.0, float("nan")])
def test_a_score_without_sign_is_wrong(dataset, score):
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Parameter(torch.tensor(score))

        def forward(self, x):
            return {"A": self.score.expand(len(x), 2)}

    assert task_accuracies(Constant(), dataset, dataset.test) == {"A": 0.0}


def test_the_gate_is_passed_on_and_the_mode_comes_back(network, dataset):
    network.train()
    network.blocks.eval()
    seen = set()

    def gate(layer, group, x):
        assert not network.training and torch.is_inference_mode_enabled()
        seen.add(layer)
        return x

    task_accuracies(network, dataset, dataset.test, gate=gate)
    assert seen == {"c1", "c2", "f3", "f4"}
    assert (network.training, network.blocks.training) == (True, False)


def test_a_network_of_other_tasks_is_refused(network, dataset):
    other = MultitaskDataset(
        "other", dataset.train, dataset.validation, dataset.test, {"A": [0, 1], "B": [2, 3]},
        dataset.label_names, [0.0], [1.0],
    )  # fmt: skip
    with pytest.raises(pam.ShapeError, match="'B' has 1 outputs in the network and 2 labels"):
        task_accuracies(network, other, other.test)
    with pytest.raises(pam.ShapeError, match="'C' has 2 outputs in the network and 0 labels"):
        task_accuracies(network.subnetwork("C"), other, other.test)


def test_one_row_per_combination_with_the_columns_in_order(network, dataset):
    rows = measure_network(network, dataset, SINGLES, CELL, RUN)
    accuracy = task_accuracy(network, dataset)
    names = [row["combination"] for row in rows["measurements"]]
    assert names == ["A", "B", "C", "A&B", "A&C", "B&C", "A&B&C"]
    for row in rows["measurements"]:
        assert list(row) == COLUMNS
        tasks = row["combination"].split("&")
        mean = sum(accuracy[task].test for task in tasks) / len(tasks)
        single = sum(SINGLES[task].test for task in tasks) / len(tasks)
        validation = sum(accuracy[task].validation for task in tasks) / len(tasks)
        assert row["accuracy"] == pytest.approx(mean)
        assert row["validation_accuracy"] == pytest.approx(validation)
        assert row["single_task_accuracy"] == pytest.approx(single)
        assert row["accuracy_drop"] == pytest.approx(100 * (single - mean))
        part = network.subnetwork(tasks)
        assert row["macs"] == macs(part, SHAPE)
        assert row["flops"] == paper_flops(network, tasks)
        assert row["parameters"] == sum(p.numel() for p in part.parameters())
        assert (row["n_tasks"], row["status"], row["strength"]) == (len(tasks), "ok", 0.5)


def test_rows_per_task_and_per_group(network, dataset):
    rows = measure_network(network, dataset, SINGLES, CELL, RUN)
    accuracy = task_accuracy(network, dataset)
    assert rows["accuracies"][1] == {
        **CELL,
        "task": "B",
        "status": "ok",
        "accuracy": accuracy["B"].test,
        "validation_accuracy": accuracy["B"].validation,
        "single_task_accuracy": 0.6,
        "single_task_validation_accuracy": 0.7,
    }
    assert len(rows["accuracies"]) == 3
    assert {row["stage"] for row in rows["groups"]} == {"pruned"}
    sizes = {(row["layer"], row["group"]): row["neurons"] for row in rows["groups"]}
    assert sizes["c2", "A&C"] == 1
    assert sizes["f5", "B"] == 1
    assert len(sizes) == len(rows["groups"]) == 4 * 3 + 3
    merged = measure_network(network, dataset, SINGLES, {**CELL, "strength": 0}, RUN)
    assert {row["stage"] for row in merged["groups"]} == {"merged"}


def test_latency_of_every_combination_and_batch_size(network, dataset):
    options = LatencyOptions(batch_sizes=(1, 4), rounds=3, warmup=1)
    assert measure_network(network, dataset, SINGLES, CELL, RUN)["latency"] == []
    rows = measure_network(network, dataset, SINGLES, CELL, RUN, options)["latency"]
    assert len(rows) == 2 * 7
    assert list(rows[0])[7:] == [
        *("combination", "batch_size", "threads", "backend"),
        *("median_ms", "low_ms", "high_ms", "rounds"),
    ]
    assert {(row["rounds"], row["threads"]) for row in rows} == {(3, 1)}
    assert all(0 < row["low_ms"] <= row["median_ms"] <= row["high_ms"] for row in rows)


def test_a_failed_cell_has_the_same_rows_without_numbers(network, dataset):
    good = measure_network(network, dataset, SINGLES, CELL, RUN)
    bad = failed_rows(network.tasks, SINGLES, CELL, RUN, "collapsed")
    assert list(bad) == list(good)
    for name in ("measurements", "accuracies"):
        assert [list(row) for row in bad[name]] == [list(row) for row in good[name]]
        assert {row["status"] for row in bad[name]} == {"collapsed"}
        for row, known in zip(bad[name], good[name], strict=True):
            unknown = {key for key, value in row.items() if value is None}
            assert {key for key in row if row[key] != known[key]} == unknown | {"status"}
            assert {"accuracy", "validation_accuracy"} <= unknown


def test_a_missing_column_or_single_network_is_named(network, dataset):
    with pytest.raises(pam.ConfigError, match="column 'seed'"):
        measure_network(network, dataset, SINGLES, {k: CELL[k] for k in list(CELL)[:-1]}, RUN)
    with pytest.raises(pam.ConfigError, match="column 'data_hash'"):
        failed_rows("A", SINGLES, CELL, {k: RUN[k] for k in list(RUN)[:-1]}, "collapsed")
    with pytest.raises(pam.ConfigError, match="single-task network of 'B'"):
        measure_network(network, dataset, {"A": SINGLES["A"]}, CELL, RUN)
