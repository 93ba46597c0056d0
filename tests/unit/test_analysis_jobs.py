"""The commands `pam relate` and `pam analyse`: what their records hold, and how they fail."""

import os
from pathlib import Path

import pytest
import torch

from pam.cli.failures import Failure, save_failure
from pam.cli.main import main
from pam.config import Paths, load_config
from pam.errors import CollapseError
from pam.files import read_json
from pam.merging import MERGERS
from pam.reporting.schema import TABLES
from pam.training import task_accuracies

CONFIG = """\
seeds: [0, 1]
experiments:
  tiny:
    dataset: digits
    data: {tile: 8, train_strips: 48, validation_strips: 24, test_strips: 24}
    architecture: lenet5
    network: {widths: [2, 3, 5, 6]}
    train: {batch_size: 16, stages: [{epochs: 1, learning_rate: 0.01}]}
    merging:
      none: {}
      all_shared: {retrain: {stages: []}}
    pruning:
      taylor: {strengths: [0.3, 0.5], fine_tune: {stages: []}, interval: 1}
    relatedness:
      pam: {samples: 32, retrain: {stages: []}}
      apart: {method: none}
    conditions: {layers: [c2, f4], samples: 40, exclusivity: [all_shared], redundancy: [none]}
"""
COUNTS = ("shared", "exclusive_a", "exclusive_b", "removed")
SUFFIXES = (".safetensors", ".json")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Run:
    """A small run in a folder, one method per command."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.yaml"
        self.file.write_text(CONFIG)
        self.config = load_config(self.file)
        self.paths = Paths(str(folder / "results"))

    def pam(self, command: str, *words: str) -> int:
        return main([command, "--config", str(self.file), "--experiment", "tiny", *words])

    def job(self, command: str, *words: str, seed: int = 0) -> int:
        data = self.paths.data("tiny")
        return self.pam(command, "--seed", str(seed), "--data", data, *words)

    def network(self, task: str, seed: int = 0) -> str:
        return self.paths.network("tiny", task, seed)

    def make(self) -> None:
        assert self.pam("prepare", "--out", self.paths.data("tiny")) == 0
        for task, seed in (("A", 0), ("B", 0), ("A", 1)):
            out = ["--out", self.network(task, seed)]
            record = ["--record", self.paths.network("tiny", task, seed, ".json")]
            assert self.job("train", "--task", task, *out, *record, seed=seed) == 0
        for merging in ("none", "all_shared"):
            files = [self.paths.merged("tiny", merging, 0, suffix) for suffix in SUFFIXES]
            words = ["--networks", self.network("A"), self.network("B")]
            words += ["--out", files[0], "--record", files[1]]
            assert self.job("merge", "--merging", merging, *words) == 0
            files = [self.paths.pruned("tiny", merging, "taylor", 0, s) for s in SUFFIXES]
            words = ["--network", self.paths.merged("tiny", merging, 0)]
            words += ["--out", files[0], "--record", files[1]]
            assert self.job("prune", "--merging", merging, "--pruning", "taylor", *words) == 0

    def relate(self, row: str, control: str | None = None, *more: str) -> int:
        words = ["--networks", self.network("A"), self.network("B")]
        words += ["--control", control or self.network("A", 1)]
        words += ["--record", self.paths.related("tiny", row, 0)]
        return self.job("relate", "--merging", row, *words, *more)

    def analyse(self, merging: str, pruned: str | None = None, *more: str) -> int:
        words = ["--merging", merging, "--pruning", "taylor"]
        words += ["--merged", self.paths.merged("tiny", merging, 0)]
        words += ["--pruned", pruned or self.paths.pruned("tiny", merging, "taylor", 0)]
        words += ["--record", self.paths.analysed("tiny", merging, "taylor", 0)]
        return self.job("analyse", *words, *more)

    def related(self, row: str) -> dict:
        return read_json(self.paths.related("tiny", row, 0))

    def analysed(self, merging: str) -> dict:
        return read_json(self.paths.analysed("tiny", merging, "taylor", 0))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A run as far as pruning, of seed 0."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    made = Run(tmp_path_factory.mktemp("run"))
    made.make()
    yield made
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


def check_rows(record: dict) -> None:
    for table, rows in record["rows"].items():
        for row in rows:
            TABLES[table].check(row)


def test_every_pair_is_counted_in_every_layer(run):
    for row in ("pam", "apart"):
        assert run.relate(row) == 0
        record = run.related(row)
        check_rows(record)
        assert (record["status"], record["provenance"]["control_seed"]) == ("ok", 1)
        assert len(record["provenance"]["parents"]) == 4
        rows = record["rows"]["relatedness"]
        assert [(r["task_a"], r["task_b"], r["layer"]) for r in rows] == [
            ("A", other, layer) for other in ("A_again", "B") for layer in ("c1", "c2", "f3", "f4")
        ]
        assert [r["neurons"] for r in rows] == [4, 6, 10, 12] * 2
        assert all(sum(r[name] for name in COUNTS) == r["neurons"] for r in rows)
        assert {r["status"] for r in rows} == {"ok"}
        assert {r["merging"] for r in rows} == {row}
        known = {r["task_b"]: r["label_information_nats"] for r in rows}
        assert known["A_again"] > known["B"] > 0


def test_the_same_job_counts_the_same(run):
    assert run.relate("pam") == 0
    first = run.related("pam")["rows"]["relatedness"]
    assert run.relate("pam") == 0
    assert run.related("pam")["rows"]["relatedness"] == first


def test_a_network_related_to_itself_shares_all_that_is_kept(run):
    assert run.relate("pam", run.network("A")) == 0
    control = [r for r in run.related("pam")["rows"]["relatedness"] if r["task_b"] == "A_again"]
    assert [(r["exclusive_a"], r["exclusive_b"]) for r in control] == [(0, 0)] * 4
    assert all(r["shared"] > 0 for r in control)


def test_the_control_is_a_network_of_the_first_task(run, capsys):
    assert run.relate("pam", run.network("B")) == 2
    assert "--control is a network of task 'A'" in capsys.readouterr().err


def test_a_merging_row_is_no_relatedness_row(run, capsys):
    assert run.relate("all_shared") == 2
    assert "unknown merging 'all_shared'; known: pam, apart" in capsys.readouterr().err


def test_a_pair_that_cannot_be_merged_has_rows_without_counts(run, monkeypatch):
    apart = MERGERS.get("none")

    def fails_on_others(networks, data, *, seed):
        if "B" in networks:
            raise CollapseError("task 'B' is no longer connected to the image")
        return apart(networks, data, seed=seed)

    monkeypatch.setitem(MERGERS._entries, "none", fails_on_others)
    assert run.relate("apart") == 0
    record = run.related("apart")
    check_rows(record)
    assert record["status"] == "collapsed"
    assert record["reason"].startswith("tasks A and B: task 'B' is no longer")
    rows = record["rows"]["relatedness"]
    assert [r["status"] for r in rows] == ["ok"] * 4 + ["collapsed"] * 4
    assert {r["shared"] for r in rows[4:]} == {None}
    assert run.relate("apart", None, "--strict") == 1


def test_a_network_that_failed_is_passed_on(run, tmp_path):
    save_failure(tmp_path / "A-1.safetensors", Failure("diverged", "task A: the loss became nan"))
    assert run.relate("pam", str(tmp_path / "A-1.safetensors")) == 0
    record = run.related("pam")
    assert (record["status"], record["rows"]["relatedness"]) == ("diverged", [])
    assert record["reason"] == "not related: task A: the loss became nan"


def test_exclusivity_is_asked_of_pruned_networks(run):
    assert run.analyse("all_shared") == 0
    record = run.analysed("all_shared")
    check_rows(record)
    assert record["status"] == "ok"
    assert record["rows"]["redundancy"] == record["rows"]["redundancy_samples"] == []
    rows = record["rows"]["exclusivity"]
    assert {row["strength"] for row in rows} == {0.3, 0.5}
    assert {row["layer"] for row in rows} == {"c2", "f4"}
    assert {row["exclusive_to"] for row in rows} == {row["task"] for row in rows} == {"A", "B"}


def test_accuracy_at_step_0_is_that_of_the_network(run):
    from pam.data.store import load_dataset
    from pam.networks.family import load_family

    assert run.analyse("all_shared") == 0
    dataset = load_dataset(run.paths.data("tiny"))
    family = load_family(run.paths.pruned("tiny", "all_shared", "taylor", 0))
    for row in run.analysed("all_shared")["rows"]["exclusivity"]:
        if row["step"] == 0:
            network = family[row["strength"]]
            for column, part in (("accuracy", "test"), ("validation_accuracy", "validation")):
                accuracies = task_accuracies(network, dataset, getattr(dataset, part))
                assert row[column] == accuracies[row["task"]]


def test_redundancy_is_asked_before_and_after_pruning(run):
    assert run.analyse("none") == 0
    record = run.analysed("none")
    check_rows(record)
    assert record["rows"]["exclusivity"] == []
    rows = record["rows"]["redundancy"]
    assert [(r["strength"], r["layer"]) for r in rows] == [
        (strength, layer) for strength in (0, 0.3, 0.5) for layer in ("c2", "f4")
    ]
    assert (rows[1]["neurons_a"], rows[1]["neurons_b"]) == (6, 6)
    samples = record["rows"]["redundancy_samples"]
    assert {row["strength"] for row in samples} == {0, 0.5}
    assert len(samples) == 2 * 2 * 40


def test_an_unknown_layer_is_named(run, capsys):
    text = CONFIG.replace("layers: [c2, f4]", "layers: [c2, f44]")
    run.file.write_text(text)
    try:
        assert run.analyse("none") == 2
    finally:
        run.file.write_text(CONFIG)
    said = capsys.readouterr().err
    assert "layer in experiments.tiny.conditions.layers 'f44'; did you mean 'f4'?" in said


def test_networks_that_are_not_there_have_rows_without_numbers(run, tmp_path):
    path = tmp_path / "none-taylor-0.safetensors"
    save_failure(path, Failure("collapsed", "task 'A' is cut off"))
    assert run.analyse("none", str(path)) == 0
    record = run.analysed("none")
    check_rows(record)
    assert (record["status"], record["reason"]) == (
        *("collapsed", "not analysed: task 'A' is cut off"),
    )
    rows = record["rows"]["redundancy"]
    assert [row["status"] for row in rows] == ["ok"] * 2 + ["collapsed"] * 4
    assert {row["max_correlation"] for row in rows[2:]} == {None}
    save_failure(path, Failure("collapsed", "task 'A' is cut off"))
    assert run.analyse("all_shared", str(path)) == 0
    rows = run.analysed("all_shared")["rows"]["exclusivity"]
    assert [(row["strength"], row["step"], row["status"]) for row in rows] == [
        (strength, 0, "collapsed") for strength in (0.3, 0.5) for _ in range(2 * 2 * 2)
    ]


def test_an_analysis_that_runs_out_of_memory_leaves_the_others(run, monkeypatch):
    from pam.analysis import redundancy

    found, calls = redundancy.redundancy_rows, []

    def second_fails(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise MemoryError
        return found(*arguments)

    monkeypatch.setattr(redundancy, "redundancy_rows", second_fails)
    assert run.analyse("none") == 0
    record = run.analysed("none")
    assert (record["status"], record["reason"].split(":")[0]) == ("out_of_memory", "not analysed")
    assert "strength 0.3" in record["reason"]
    assert [row["status"] for row in record["rows"]["redundancy"]] == [
        *("ok", "ok", "out_of_memory", "out_of_memory", "ok", "ok"),
    ]
