"""The commands `pam relate` and `pam analyse`: what their records hold, and how they fail."""

import pytest
import torch

from pam.analysis import conditions
from pam.data.store import load_dataset
from pam.errors import CollapseError, DivergenceError
from pam.files import read_json
from pam.merging import MERGERS
from pam.networks import SingleTaskNetwork
from pam.networks.family import load_family
from pam.runs.cells import Cell
from pam.stages import relate
from pam.stages.failures import Failure, save_failure
from pam.stages.train import train
from pam.training import task_accuracies
from tests.small_run import Run, profile

CONFIG = profile(
    "{none: {}, all_shared: {retrain: {stages: []}}}",
    "{taylor: {strengths: [0.3, 0.5], fine_tune: {stages: []}, interval: 1}}",
    """\
    relatedness: {pam: {samples: 32, retrain: {stages: []}}, apart: {method: none}}
    conditions: {layers: [c2, f4], samples: 40, exclusivity: [all_shared], redundancy: [none]}
""",
    widths="[2, 3, 5, 6]",
)
COUNTS = ("shared", "exclusive_a", "exclusive_b", "removed")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A run as far as pruning, of seed 0."""
    run = Run(tmp_path_factory.mktemp("run"), CONFIG).start()
    for merging in ("none", "all_shared"):
        assert [run.merge(merging), run.prune(merging)] == [0, 0]
    return run


def related(run: Run, row: str, *more: str) -> dict:
    """Relate the tasks, and return the record."""
    assert run.job("relate", *more, merging=row) == 0
    return read_json(run.artefact("relate", row))


def analysed(run: Run, merging: str, *more: str) -> dict:
    """Analyse a cell, and return the record."""
    assert run.job("analyse", *more, merging=merging) == 0
    return read_json(run.artefact("analyse", merging, "taylor"))


def test_every_pair_is_counted_in_every_layer(run):
    for row in ("pam", "apart"):
        record = related(run, row)
        assert record["status"] == "ok"
        assert len(record["provenance"]["parents"]) == 3
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


def test_a_network_related_to_itself_shares_all_that_is_kept(run, monkeypatch):
    network = SingleTaskNetwork.load(run.artefact("train", "A"))
    monkeypatch.setattr(relate, "train", lambda *_, **__: (network, []))
    record = related(run, "pam")
    control = [r for r in record["rows"]["relatedness"] if r["task_b"] == "A_again"]
    assert [(r["exclusive_a"], r["exclusive_b"]) for r in control] == [(0, 0)] * 4
    assert all(r["shared"] > 0 for r in control)


def test_the_control_is_another_network_of_the_first_task(run, monkeypatch):
    asked = []

    def spy(job, inputs, task, seeds):
        asked.append((task, train(job, inputs, task, seeds)[0]))
        return asked[-1][1], []

    monkeypatch.setattr(relate, "train", spy)
    related(run, "pam")
    first = SingleTaskNetwork.load(run.artefact("train", "A"))
    ((task, control),) = asked
    assert (task, control.describe()) == ("A", first.describe())
    for one, other in zip(control.parameters(), first.parameters(), strict=True):
        assert not torch.equal(one, other)


def test_a_merging_row_is_no_relatedness_row(run, capsys):
    assert run.job("relate", merging="all_shared") == 2
    assert "unknown relatedness 'all_shared'; known: pam, apart" in capsys.readouterr().err


def test_a_pair_that_cannot_be_merged_has_rows_without_counts(run, monkeypatch):
    apart = MERGERS.get("none")

    def fails_on_others(networks, data, *, seed):
        if "B" in networks:
            raise CollapseError("task 'B' is no longer connected to the image")
        return apart(networks, data, seed=seed)

    monkeypatch.setitem(MERGERS._entries, "none", fails_on_others)
    record = related(run, "apart")
    assert record["status"] == "collapsed"
    assert record["reason"].startswith("tasks A and B: task 'B' is no longer")
    rows = record["rows"]["relatedness"]
    assert [r["status"] for r in rows] == ["ok"] * 4 + ["collapsed"] * 4
    assert {r["shared"] for r in rows[4:]} == {None}
    assert run.job("relate", "--strict", merging="apart") == 1


def test_a_network_that_failed_is_passed_on(run, tmp_path):
    failed = tmp_path / "A-0.safetensors"
    save_failure(failed, Failure("diverged", "task A: the loss became nan"))
    record = related(run, "pam", "--networks", str(failed), run.artefact("train", "B"))
    assert (record["status"], record["rows"].get("relatedness", [])) == ("diverged", [])
    assert record["reason"] == "not related: task A: the loss became nan"


def test_a_control_that_diverges_fails_the_cell(run, monkeypatch):
    def diverges(*_, **__):
        raise DivergenceError("train: the loss became nan")

    monkeypatch.setattr(relate, "train", diverges)
    record = related(run, "pam")
    assert record["status"] == "diverged"
    assert record["reason"] == "task A: train: the loss became nan"


def test_exclusivity_is_asked_of_pruned_networks(run):
    record = analysed(run, "all_shared")
    assert record["status"] == "ok"
    assert record["rows"]["redundancy"] == record["rows"]["redundancy_samples"] == []
    rows = record["rows"]["exclusivity"]
    assert {row["strength"] for row in rows} == {0.3, 0.5}
    assert {row["layer"] for row in rows} == {"c2", "f4"}
    assert {row["exclusive_to"] for row in rows} == {row["task"] for row in rows} == {"A", "B"}


def test_accuracy_at_step_0_is_that_of_the_network(run):
    rows = analysed(run, "all_shared")["rows"]["exclusivity"]
    dataset = load_dataset(run.paths.folder(Cell.of("prepare", "tiny")))
    family = load_family(run.artefact("prune", "all_shared", "taylor"))
    for row in rows:
        if row["step"] == 0:
            network = family[row["strength"]]
            for column, part in (("accuracy", "test"), ("validation_accuracy", "validation")):
                accuracies = task_accuracies(network, dataset, getattr(dataset, part))
                assert row[column] == accuracies[row["task"]]


def test_redundancy_is_asked_before_and_after_pruning(run):
    record = analysed(run, "none")
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
        assert run.job("analyse") == 2
    finally:
        run.file.write_text(CONFIG)
    said = capsys.readouterr().err
    assert "experiments.tiny.conditions.layers[1]: unknown layer; did you mean 'f4'?" in said


def test_networks_that_are_not_there_have_rows_without_numbers(run, tmp_path):
    path = tmp_path / "none-taylor-0.safetensors"
    save_failure(path, Failure("collapsed", "task 'A' is cut off"))
    record = analysed(run, "none", "--pruned", str(path))
    assert (record["status"], record["reason"]) == (
        *("collapsed", "not analysed: task 'A' is cut off"),
    )
    rows = record["rows"]["redundancy"]
    assert [row["status"] for row in rows] == ["ok"] * 2 + ["collapsed"] * 4
    assert {row["max_correlation"] for row in rows[2:]} == {None}
    save_failure(path, Failure("collapsed", "task 'A' is cut off"))
    rows = analysed(run, "all_shared", "--pruned", str(path))["rows"]["exclusivity"]
    assert [(row["strength"], row["step"], row["status"]) for row in rows] == [
        (strength, 0, "collapsed") for strength in (0.3, 0.5) for _ in range(2 * 2 * 2)
    ]


def test_an_analysis_that_runs_out_of_memory_leaves_the_others(run, monkeypatch):
    found, calls = conditions.redundancy_rows, []

    def second_fails(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise MemoryError
        return found(*arguments)

    monkeypatch.setattr(conditions, "redundancy_rows", second_fails)
    record = analysed(run, "none")
    assert (record["status"], record["reason"].split(":")[0]) == ("out_of_memory", "not analysed")
    assert "strength 0.3" in record["reason"]
    assert [row["status"] for row in record["rows"]["redundancy"]] == [
        *("ok", "ok", "out_of_memory", "out_of_memory", "ok", "ok")
    ]
