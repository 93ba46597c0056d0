"""What is written down beside every artefact, and in it."""

import json
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pam import DataError
from pam.cli.arguments import command_line
from pam.config import load_config
from pam.files import file_hash, read_json, read_tensors, stored_hash, tensor_hash, write_tensors
from pam.networks import GroupedNetwork
from pam.runs import machine
from pam.runs.cells import Cell, config_hash, settings_of
from pam.runs.hashes import rows_hash
from pam.runs.paths import run_of
from tests.small_run import Run, stand_in

KNOWN = {
    *("experiment", "dataset", "rule", "config", "config_hash", "code_hash", "data_hash"),
    *("artefacts", "parents", "seeds", "threads", "device", "command", "log"),
    *("started", "ended", "environment"),
}


def code_of(config: object, cell: Cell, stage: str = "") -> str:
    return f"code of {stage or cell.stage}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run up to the measurements, the code hash of every rule its name."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, code_of)
        run = Run(tmp_path_factory.mktemp("run"))
        steps = [run.prepare("--log", "p.log"), run.train("A"), run.train("B"), run.merge("none")]
        assert [*steps, run.prune("none"), run.measure("none", "--log", "m.log")] == [0] * 6
    return run


def records(run: Run) -> dict[str, dict]:
    """Rule -> provenance of one of its jobs."""
    cells = {
        **{"prepare": (), "train": ("A",), "merge": ("none",)},
        **dict.fromkeys(("prune", "measure"), ("none", "halves")),
    }
    return {rule: run.record(rule, *axes)["provenance"] for rule, axes in cells.items()}


def test_every_artefact_knows_where_it_comes_from(run):
    for rule, known in records(run).items():
        assert known.keys() >= KNOWN
        assert known["rule"] == rule
        assert known["code_hash"] == f"code of {rule}"
        assert known["config_hash"] == config_hash(known["config"])
        assert datetime.fromisoformat(known["started"]) <= datetime.fromisoformat(known["ended"])
        assert known["environment"]["packages"]["torch"] == torch.__version__
        assert known["environment"]["host"]
        assert known["command"].startswith(f"pam {rule} --config ")
    config = load_config(run.file)
    known = records(run)
    assert known["prepare"]["config"] == settings_of(config, Cell.of("prepare", "tiny"))
    assert known["merge"]["config"] == settings_of(config, Cell.of("merge", "tiny", "none", 0))
    assert (known["prepare"]["log"], known["measure"]["log"]) == ("p.log", "m.log")
    assert set(known["train"]["seeds"]) == {"weights", "order"}
    assert "architecture" not in known["prepare"]


def test_parents_are_the_artefacts_of_the_jobs_before(run):
    known = records(run)
    data = {"data/tiny/dataset.json": known["train"]["data_hash"]}
    assert known["prepare"]["artefacts"].items() >= data.items()
    assert known["prepare"]["data_hash"] == known["train"]["data_hash"]
    assert known["prepare"]["parents"] == {}
    assert known["train"]["parents"] == data
    networks = {
        f"networks/tiny/{task}-0.safetensors": stored_hash(run.artefact("train", task))
        for task in "AB"
    }
    assert known["merge"]["parents"] == data | networks
    artefacts = known["merge"]["artefacts"].items()
    merged = {path: sha256 for path, sha256 in artefacts if path.endswith(".safetensors")}
    assert known["prune"]["parents"] == data | networks | merged
    pruned = "pruned/tiny/none-halves-0.safetensors"
    assert known["measure"]["parents"].keys() == {*known["merge"]["parents"], *merged, pruned}


def test_artefact_hashes_are_of_tensors_and_of_rows(run):
    known = records(run)["merge"]["artefacts"]
    network = GroupedNetwork.load(run.artefact("merge", "none"))
    assert known["merged/tiny/none-0.safetensors"] == tensor_hash(network.state_dict())
    path = run.artefact("measure", "none", "halves")
    rows = read_json(path)["rows"]
    measured = records(run)["measure"]["artefacts"]
    assert measured == {"measured/tiny/none-halves-0.json": rows_hash(rows)}
    before = rows_hash(rows)
    assert rows_hash(rows | {"resources": [], "latency": []}) == before
    rows["accuracies"][0]["accuracy"] += 1e-6
    assert rows_hash(rows) != before


def test_a_network_that_is_taken_away_still_names_its_cell(run, tmp_path):
    taken = tmp_path / "x.safetensors"
    taken.write_bytes(Path(run.artefact("prune", "none", "halves")).read_bytes())
    origin = read_tensors(taken)[1]["origin"]
    cell = {"experiment": "tiny", "merging": "none", "pruning": "halves", "seed": 0}
    assert origin.items() >= {**cell, "rule": "prune", "code_hash": "code of prune"}.items()
    assert {"config_hash", "data_hash", "dataset", "architecture"} <= origin.keys()
    data = Path(run.paths.folder(Cell.of("prepare", "tiny"))) / "test.safetensors"
    meta = read_tensors(data)[1]
    assert meta["origin"]["rule"] == "prepare" and meta["part"] == "test"
    assert "started" not in json.dumps([origin, meta])


def test_folders_of_raw_data_are_nobodys_business():
    words = ["prepare", "--root", "/home/someone/data", "--out", "a folder"]
    assert command_line(words) == "pam prepare --root ... --out 'a folder'"


def test_the_sources_are_looked_at_before_the_work(tmp_path, monkeypatch):
    done = []
    stand_in(monkeypatch, lambda *_: done.append("code") or "0" * 12)
    monkeypatch.setattr("pam.stages.run.environment", lambda _: done.append("sources") or {})
    monkeypatch.setattr("pam.stages.train.attempt", lambda work: done.append("work") or work())
    run = Run(tmp_path)
    assert run.prepare() == 0
    done.clear()
    assert run.train("A") == 0
    assert done == ["sources", "code", "work"]


def test_an_uncommitted_file_makes_the_tree_dirty(monkeypatch):
    asked = []

    def git(*words):
        asked.append(words)
        return {"rev-parse": str(machine.ROOT), "status": "?? pam/mine.py"}[words[0]]

    monkeypatch.setattr(machine, "_git", git)
    assert machine._git_state.__wrapped__()["dirty"] is True
    assert not any("--untracked-files=no" in words for words in asked)


DTYPES = (torch.float32, torch.float64, torch.uint8, torch.int8, torch.int64, torch.bool)


@given(
    st.dictionaries(
        st.text("abc/.", min_size=1, max_size=4),
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=3)),
        max_size=3,
    )
)
def test_the_hash_without_torch_is_that_of_torch(tmp_path_factory, made):
    tensors = {
        name: torch.arange(int(np.prod(shape)), dtype=torch.float64).reshape(shape).to(dtype)
        for name, (dtype, shape) in made.items()
    }
    path = tmp_path_factory.getbasetemp() / "hashed.safetensors"
    write_tensors(path, tensors, {})
    assert stored_hash(path) == tensor_hash(tensors)


def test_files_that_cannot_be_hashed_are_named(tmp_path):
    broken = tmp_path / "broken.safetensors"
    for hashed in (stored_hash, file_hash):
        with pytest.raises(DataError, match=r"broken\.safetensors"):
            hashed(broken)
    broken.write_text("no tensors")
    with pytest.raises(DataError, match=r"broken\.safetensors is damaged"):
        stored_hash(broken)


def test_a_record_in_any_folder_belongs_to_some_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_of("results/quick/networks/digits/A-0.json") == tmp_path / "results/quick"
    assert run_of("q.json") == tmp_path.parents[1]
    assert run_of("/q.json") == Path("/")


def test_a_network_of_another_cell_is_refused(run, capsys, monkeypatch):
    stand_in(monkeypatch, code_of)
    other = Path(run.artefact("merge", "broken"))
    shutil.copy(run.artefact("merge", "none"), other)
    assert run.prune("broken") == 2
    other.unlink()
    said = capsys.readouterr().err
    assert said == f"pam: error: {other} is a network of merging 'none', not of 'broken'\n"
