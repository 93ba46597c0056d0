"""Every way in which a cell can fail, by command, from the cause to the tables."""

from pathlib import Path

import pytest
import torch

from pam.cli.job import CELL_FAILED
from pam.cli.main import USER_ERROR, main
from pam.cli.retry import failed_records, missing_data
from pam.data import load_dataset
from pam.errors import CollapseError, DataError
from pam.files import read_json, read_tensors
from pam.merging import MERGERS
from pam.networks import GroupedNetwork
from pam.pruning import PRUNERS, Pruned
from pam.reporting.storage import read_table, read_text_table
from tests.small_run import CONFIG, Run

TWO_TASKS = ("A", "B")
MISSING = CONFIG.replace("dataset: digits", "dataset: fashion_mnist")


def unchanged(network, data, strengths, *, seed):
    """A pruner that prunes nothing."""
    for strength in strengths:
        yield Pruned(strength, network)


@pytest.fixture(autouse=True)
def pruner(monkeypatch, same_torch_afterwards):
    monkeypatch.setattr("pam.cli.job.code_hash", lambda *a, **k: "0" * 12)
    monkeypatch.setattr("pam.cli.job.check_experiment", lambda *_: None)
    monkeypatch.setattr("pam.cli.plan.check_plugins", lambda *_: None)
    monkeypatch.setitem(PRUNERS._entries, "halves", unchanged)


def finish_one(run: Run, merging: str) -> None:
    assert [run.merge(merging), run.prune(merging), run.measure(merging)] == [0, 0, 0]


def finish(run: Run) -> None:
    """Run everything after training; no job may stop it."""
    for merging in ("none", "broken"):
        finish_one(run, merging)
    assert run.aggregate() == 0


def table_of(run: Run) -> str:
    assert main(["tables", "--results", run.paths.results]) == 0
    return (Path(run.paths.tables) / "comparison.md").read_text(encoding="utf-8")


def draw(run: Run) -> set[str]:
    out = Path(run.paths.results) / "figures"
    assert main(["figures", "--results", run.paths.results, "--out", str(out)]) == 0
    return {path.stem for path in out.glob("*.png")}


def statuses(run: Run) -> dict[str, set[str]]:
    rows = read_table(run.paths.results, "measurements")
    return {merging: set(part["status"]) for merging, part in rows.groupby("merging")}


def test_a_loss_that_is_not_a_number(tmp_path):
    run = Run(tmp_path, CONFIG.replace("learning_rate: 0.01", "learning_rate: 1e30"))
    assert run.prepare() == 0
    log = "logs/mine/train/tiny/A-0.log"
    assert [run.train("A", "--log", log), run.train("B")] == [0, 0]
    assert run.train("A", "--strict", "--log", log) == CELL_FAILED
    finish(run)
    assert statuses(run) == {"none": {"diverged"}, "broken": {"diverged"}}
    failures = read_text_table(run.paths.results, "failures")
    first = failures.iloc[0]
    assert (first["status"], first["log"]) == ("diverged", log)
    assert first["reason"].startswith("task A: ") and "nan" in first["reason"]
    text = table_of(run)
    assert "—‡" in text and f"‡ seed 0: diverged: {first['reason']}" in text
    draw(run)


def test_a_layer_without_units(tmp_path, monkeypatch):
    def collapses(network, data, strengths, *, seed):
        raise CollapseError("layer 'c2' has no channel left")

    run = Run(tmp_path)
    assert run.prepare() == 0
    assert [run.train(task) for task in TWO_TASKS] == [0, 0]
    finish_one(run, "none")
    monkeypatch.setitem(PRUNERS._entries, "halves", collapses)
    finish_one(run, "broken")
    assert run.aggregate() == 0
    rows = read_table(run.paths.results, "measurements")
    broken = rows[rows["merging"] == "broken"]
    # The merged network is there all the same.
    assert set(zip(broken["strength"], broken["status"], strict=True)) == {
        *[(0.0, "ok"), (1.0, "collapsed"), (2.0, "collapsed"), (3.0, "collapsed")]
    }
    text = table_of(run)
    assert "‡ broken, halves, seed 0: collapsed: strength 1: layer 'c2' has no channel" in text
    assert {"frontier", "matched", "groups"} <= draw(run)


OUT_OF_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["python", "cuda", "cpu"])
def test_memory_that_runs_out_in_any_stage(tmp_path, monkeypatch, error):
    def fails(*args, **kwargs):
        raise error

    run = Run(tmp_path)
    assert run.prepare() == 0
    assert [run.train(task) for task in TWO_TASKS] == [0, 0]
    merger = MERGERS._entries["none"]
    for merging, broken in (("none", "pam.cost.measure_network"), ("broken", None)):
        monkeypatch.setitem(MERGERS._entries, "none", merger if broken else fails)
        assert [run.merge(merging), run.prune(merging)] == [0, 0]
        with monkeypatch.context() as patch:
            if broken:
                patch.setattr(broken, fails)
            assert run.measure(merging) == 0
    assert run.aggregate() == 0
    assert statuses(run) == {"none": {"out_of_memory"}, "broken": {"out_of_memory"}}
    reasons = read_table(run.paths.results, "failures")["reason"]
    assert "not measured: strength 0: the job needs more memory than there is" in set(reasons)
    assert len(failed_records(run.config, run.paths)) == 4


def test_a_network_larger_than_any_memory(tmp_path):
    run = Run(tmp_path, CONFIG.replace("[2, 3, 5, 4]", "[2, 3, 1000000000000, 4]"))
    assert run.prepare() == 0
    assert run.train("A") == 0
    record = read_json(run.paths.network("tiny", "A", 0, ".json"))
    assert record["status"] == "out_of_memory"


def test_data_that_cannot_be_had(tmp_path, capsys):
    run = Run(tmp_path, MISSING)
    root = ["--root", str(tmp_path / "nowhere")]
    assert run.prepare(*root) == USER_ERROR
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "does not exist" in said
    assert not Path(run.paths.data("tiny")).exists()

    log = "logs/mine/prepare/tiny.log"
    assert run.prepare("--allow-missing", "--log", log, *root) == 0
    assert missing_data(run.config, run.paths) == [run.paths.data_description("tiny")]
    assert [run.train(task) for task in TWO_TASKS] == [0, 0]
    finish(run)
    assert all(
        read_json(path)["status"] == "data_missing"
        for path in [*run.paths.records(run.config), *run.paths.data_records(run.config)]
    )
    assert statuses(run) == {"none": {"data_missing"}, "broken": {"data_missing"}}
    assert set(read_table(run.paths.results, "measurements")["combination"]) == {"A", "B", "A&B"}
    failures = read_text_table(run.paths.results, "failures")
    assert set(failures["status"]) == {"data_missing"}
    assert (failures.iloc[0]["log"], failures.iloc[0]["seed"]) == (log, "")
    text = table_of(run)
    assert text.count("—‡") >= 6 and "‡ all: data missing: " in text
    draw(run)

    assert main(["plan", "--config", str(run.file), "--results", run.paths.results]) == 0
    with pytest.raises(DataError, match="holds no data, since preparing it failed"):
        load_dataset(run.paths.data("tiny"))


def test_data_that_are_still_missing_leave_the_same_description(tmp_path):
    run = Run(tmp_path, MISSING)
    words = ["--allow-missing", "--root", str(tmp_path)]
    assert run.prepare(*words) == 0
    description = Path(run.paths.data_description("tiny"))
    before = description.read_bytes()
    assert run.prepare(*words) == 0
    assert description.read_bytes() == before


def test_a_failed_network_says_which_cell_it_is(tmp_path):
    run = Run(tmp_path, MISSING)
    assert run.prepare("--allow-missing", "--root", str(tmp_path)) == 0
    assert run.train("A") == 0
    path = run.paths.network("tiny", "A", 0)
    with pytest.raises(DataError, match=r"A-0\.safetensors"):
        GroupedNetwork.load(path)
    tensors, meta = read_tensors(path)
    assert tensors == {}
    assert (meta["status"], meta["origin"]["task"]) == ("data_missing", "A")
