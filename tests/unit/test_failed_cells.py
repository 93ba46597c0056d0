"""Every way in which a cell can fail, by command, from the cause to the tables."""

from pathlib import Path

import pytest
import torch

from pam.cli.main import USER_ERROR, main
from pam.data import load_dataset
from pam.errors import CollapseError, DataError, DivergenceError
from pam.files import read_json, read_tensors
from pam.merging import MERGERS
from pam.networks import GroupedNetwork
from pam.networks.family import load_family
from pam.pruning import PRUNERS
from pam.reporting.storage import read_table, read_text_table
from pam.runs.cells import Cell
from pam.stages.failures import Failure, attempt, read_failure, save_failure
from pam.stages.run import CELL_FAILED
from tests.small_run import CONFIG, Run, smaller, stand_in

MISSING = CONFIG.replace("dataset: digits", "dataset: fashion_mnist")
OUT_OF_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
]


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    stand_in(monkeypatch)


def failing(error: Exception):
    """Return a method that fails, whatever it is given."""

    def fails(*args, **kwargs):
        raise error

    return fails


def table_of(run: Run) -> str:
    assert main(["tables", "--results", run.paths.results]) == 0
    return (Path(run.paths.record(Cell("tables"))) / "comparison.md").read_text(encoding="utf-8")


def draw(run: Run) -> set[str]:
    out = Path(run.paths.results) / "figures"
    assert main(["figures", "--results", run.paths.results, "--out", str(out)]) == 0
    return {path.stem for path in out.glob("*.png")}


def statuses(run: Run) -> dict[str, set[str]]:
    assert run.aggregate() == 0
    rows = read_table(run.paths.results, "measurements")
    return {merging: set(part["status"]) for merging, part in rows.groupby("merging")}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DivergenceError("nan"), "diverged"),
        (CollapseError("empty"), "collapsed"),
        *((error, "out_of_memory") for error in OUT_OF_MEMORY),
    ],
)
def test_failures_that_belong_to_a_cell(error, status, tmp_path):
    failure = attempt(failing(error))
    assert isinstance(failure, Failure)
    assert failure.status == status
    for name in ("network.safetensors", "dataset.json"):
        save_failure(tmp_path / name, failure, {"seed": 0})
        assert read_failure(tmp_path / name) == failure


@pytest.mark.parametrize("error", [DataError("x"), RuntimeError("a bug"), KeyError("y")])
def test_all_other_errors_pass_through(error):
    with pytest.raises(type(error)):
        attempt(failing(error))


def test_a_loss_that_is_not_a_number(tmp_path, capsys):
    run = Run(tmp_path, CONFIG.replace("learning_rate: 0.01", "learning_rate: 1e30"))
    log = "logs/mine/train/tiny/A-0.log"
    assert [run.prepare(), run.train("A", "--log", log), run.train("B")] == [0] * 3
    assert run.train("A", "--strict", "--log", log) == CELL_FAILED
    assert "diverged" in capsys.readouterr().err
    run.finish("none", "broken")
    assert run.merge("none", "--strict") == CELL_FAILED
    assert statuses(run) == {"none": {"diverged"}, "broken": {"diverged"}}
    _, *after_data = run.paths.records(run.config)
    for path in after_data:
        record = read_json(path)
        assert record["status"] == "diverged"
        assert "the loss became" in record["reason"]
    rows = run.record("measure", "none", "halves")["rows"]["measurements"]
    assert len(rows) == 4 * 3
    assert all(row["flops"] is None and row["accuracy"] is None for row in rows)
    failures = read_text_table(run.paths.results, "failures")
    first = failures.iloc[0]
    assert (first["status"], first["log"]) == ("diverged", log)
    assert first["reason"].startswith("task A: ") and "nan" in first["reason"]
    text = table_of(run)
    assert "—‡" in text and f"‡ seed 0: diverged: {first['reason']}" in text


def test_a_merger_that_fails_leaves_the_others_alone(tmp_path, monkeypatch):
    run = Run(tmp_path).start()
    run.finish("none")
    error = DivergenceError("retrain: the loss became nan")
    monkeypatch.setitem(MERGERS._entries, "none", failing(error))
    run.finish("broken")
    assert statuses(run) == {"none": {"ok"}, "broken": {"diverged"}}


@pytest.mark.parametrize("kept", [0, 1])
def test_a_layer_without_units(kept, tmp_path, monkeypatch):
    def collapses(network, data, strengths, *, seed):
        for number, strength in enumerate(strengths):
            if number == kept:
                raise CollapseError("layer 'c2' has no channel left")
            yield from smaller(network, data, [strength], seed=seed)

    run = Run(tmp_path).start()
    run.finish("none")
    monkeypatch.setitem(PRUNERS._entries, "halves", collapses)
    run.finish("broken")
    record = run.record("prune", "broken", "halves")
    reason = f"strength {kept + 1}: layer 'c2' has no channel left"
    assert (record["status"], record["reason"]) == ("collapsed", reason)
    if kept:
        assert list(load_family(run.artefact("prune", "broken", "halves"))) == [1.0]
        assert run.record("measure", "broken", "halves")["status"] == "ok"
    assert run.aggregate() == 0
    # The merged network is there all the same, and so are those of weaker strengths.
    expected = ["ok"] * (1 + kept) + ["collapsed"] * (3 - kept)
    for name in ("measurements", "accuracies"):
        rows = read_table(run.paths.results, name)
        broken = rows[rows["merging"] == "broken"]
        pairs = zip(broken["strength"], broken["status"], strict=True)
        assert set(pairs) == set(enumerate(expected))
    told = f"‡ B1 none broken, halves, seed 0: collapsed: {reason}"
    assert (told in table_of(run)) == (kept == 0)
    if not kept:
        assert {"frontier", "groups"} <= draw(run)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["python", "cuda", "cpu"])
def test_memory_that_runs_out_in_any_stage(tmp_path, monkeypatch, error):
    run = Run(tmp_path).start()
    with monkeypatch.context() as patch:
        patch.setattr("pam.cost.measure_network", failing(error))
        run.finish("none")
    monkeypatch.setitem(MERGERS._entries, "none", failing(error))
    run.finish("broken")
    assert statuses(run) == {"none": {"out_of_memory"}, "broken": {"out_of_memory"}}
    reasons = read_table(run.paths.results, "failures")["reason"]
    assert "not measured: strength 0: the job needs more memory than there is" in set(reasons)
    records = [path for path in run.paths.records(run.config) if Path(path).exists()]
    assert sum(read_json(path)["status"] != "ok" for path in records) == 4


def test_a_network_larger_than_any_memory(tmp_path):
    run = Run(tmp_path, CONFIG.replace("[2, 3, 5, 4]", "[2, 3, 1000000000000, 4]"))
    assert [run.prepare(), run.train("A")] == [0, 0]
    record = run.record("train", "A")
    assert record["status"] == "out_of_memory"


def test_data_that_cannot_be_had(tmp_path, capsys, monkeypatch):
    run = Run(tmp_path, MISSING)
    root = ["--root", str(tmp_path / "nowhere")]
    assert run.prepare(*root) == USER_ERROR
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "does not exist" in said
    assert not Path(run.paths.folder(Cell.of("prepare", "tiny"))).exists()

    log = "logs/mine/prepare/tiny.log"
    assert run.prepare("--allow-missing", "--log", log, *root) == 0
    description = Path(run.artefact("prepare"))
    before = description.read_bytes()
    assert run.prepare("--allow-missing", "--log", log, *root) == 0
    assert description.read_bytes() == before
    assert [run.train("A"), run.train("B")] == [0, 0]
    run.finish("none", "broken")
    assert {read_json(one)["status"] for one in run.paths.records(run.config)} == {"data_missing"}
    assert statuses(run) == {"none": {"data_missing"}, "broken": {"data_missing"}}
    assert set(read_table(run.paths.results, "measurements")["combination"]) == {"A", "B", "A&B"}
    failures = read_text_table(run.paths.results, "failures")
    assert set(failures["status"]) == {"data_missing"}
    assert (failures.iloc[0]["log"], failures.iloc[0]["seed"]) == (log, "")
    text = table_of(run)
    assert text.count("—‡") >= 6 and "‡ all: data missing: " in text
    draw(run)

    monkeypatch.setattr("pam.stages.estimate.check_plugins", lambda *_: None)
    assert main(["plan", "--config", str(run.file), "--results", run.paths.results]) == 0
    with pytest.raises(DataError, match="holds no data, since preparing it failed"):
        load_dataset(run.paths.folder(Cell.of("prepare", "tiny")))

    path = run.artefact("train", "A")
    with pytest.raises(DataError, match=r"A-0\.safetensors"):
        GroupedNetwork.load(path)
    tensors, meta = read_tensors(path)
    assert tensors == {}
    assert (meta["status"], meta["origin"]["task"]) == ("data_missing", "A")
