"""Runs in parts: some seeds of a profile, and the records of several folders put together."""

import shutil
from pathlib import Path

import pytest

from pam import ConfigError, DataError
from pam.config import load_config
from pam.files import read_json, write_sealed
from pam.runs.cells import Cell, cells_of
from pam.runs.paths import Paths
from pam.runs.stages import CELL_STAGES, CSV_FILES
from pam.stages.aggregate import run as aggregate
from tests.small_run import Run, profile, stand_in

CONFIG = profile("{none: {}}", "{halves: {strengths: [1, 2]}}", seeds="[0, 1]")
TIMINGS = ("latency", "resources")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of both seeds, aggregated."""
    run = Run(tmp_path_factory.mktemp("whole"), CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch)
        assert run.prepare() == 0
        for seed in (0, 1):
            assert [run.train(task, seed=seed) for task in "AB"] == [0, 0]
            for command in ("merge", "prune", "measure"):
                assert run.job(command, merging="none", seed=seed) == 0
    assert run.aggregate() == 0
    return run


@pytest.fixture
def parts(whole, tmp_path):
    """The same run as two folders, one seed in each."""
    folders = []
    for seed in (0, 1):
        folder = tmp_path / f"part{seed}"
        shutil.copytree(whole.paths.results, folder)
        for stage in CELL_STAGES:
            for cell in cells_of(whole.config, stage):
                if cell.seed == 1 - seed:
                    Path(Paths(str(folder)).record(cell)).unlink()
        folders.append(str(folder))
    return folders


def edit(folder, stage, change, *axes):
    """Change the record of a cell of seed 1, as another run could have left it."""
    path = Paths(folder).record(Cell.of(stage, "tiny", *axes, 1))
    record = read_json(path)
    change(record)
    write_sealed(path, record)
    return path


def test_parts_give_the_bytes_of_the_whole(whole, parts, tmp_path):
    out = str(tmp_path / "out")
    aggregate(whole.config, out, parts)
    for name in set(CSV_FILES) - set(TIMINGS):
        assert Path(out, f"{name}.csv").read_bytes() == Path(whole.paths.csv(name)).read_bytes()
    one, other = (read_json(Paths(folder).manifest) for folder in (out, whole.paths.results))
    assert one["jobs"] == other["jobs"]
    assert [machine["jobs"] for machine in one["machines"]] == [len(one["jobs"])]


def test_some_seeds_alone(whole, parts, tmp_path):
    with pytest.raises(DataError, match=r"networks/tiny/A-1\.json does not exist, nor in any"):
        aggregate(whole.config, str(tmp_path), parts[:1])
    aggregate(whole.config.of_seeds([0]), str(tmp_path), parts[:1])
    jobs = read_json(tmp_path / "manifest.json")["jobs"]
    assert {job.get("seed", 0) for job in jobs.values()} == {0}


def test_a_machine_of_every_part_is_listed(whole, parts, tmp_path):
    def elsewhere(record):
        record["provenance"]["environment"]["host"] = "laptop"

    edit(parts[1], "measure", elsewhere, "none", "halves")
    aggregate(whole.config, str(tmp_path), parts)
    machines = read_json(tmp_path / "manifest.json")["machines"]
    known = [(machine["host"] == "laptop", machine["jobs"]) for machine in machines]
    assert known == [(False, 10), (True, 1)]


@pytest.mark.parametrize(
    ("name", "noun"), [("code_hash", "code"), ("config_hash", "settings"), ("data_hash", "data")]
)
def test_what_does_not_belong_together_is_refused(whole, parts, tmp_path, name, noun):
    other = {name: "f" * 12}
    path = edit(parts[1], "merge", lambda record: record["provenance"].update(other), "none")
    with pytest.raises(DataError) as caught:
        aggregate(whole.config, str(tmp_path), parts)
    assert f"{path} was made with other {noun} than {parts[0]}" in str(caught.value)
    assert f"{name} ffffffffffff, not " in str(caught.value)


def test_a_cell_with_two_results_is_refused(whole, parts, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(parts[1], copy)
    aggregate(whole.config, str(tmp_path), [*parts, str(copy)])
    edit(parts[1], "train", lambda r: r["provenance"]["artefacts"].update(more="0"), "B")
    with pytest.raises(DataError, match=r"copy/networks/tiny/B-1\.json and .*part1/"):
        aggregate(whole.config, str(tmp_path), [*parts, str(copy)])


@pytest.mark.parametrize("apart", [False, True])
def test_records_of_other_settings_are_refused_and_all_is_left(whole, parts, tmp_path, apart):
    out = Path(shutil.copytree(whole.paths.results, tmp_path / "out"))
    before = (out / "manifest.json").read_bytes(), (out / "training.csv").read_bytes()
    file = tmp_path / "other.yaml"
    file.write_text(CONFIG.replace("learning_rate: 0.01", "learning_rate: 0.02"))
    with pytest.raises(DataError, match=r"A-0\.json was made with other settings .*; run it again"):
        aggregate(load_config(file), str(out), parts if apart else ())
    edit(str(out), "measure", lambda r: r["rows"]["latency"][0].pop("rounds"), "none", "halves")
    with pytest.raises(DataError, match="rounds"):
        aggregate(whole.config, str(out))
    assert before == ((out / "manifest.json").read_bytes(), (out / "training.csv").read_bytes())


def test_a_folder_that_is_not_there_is_refused(whole, parts, tmp_path):
    with pytest.raises(DataError, match="--from nowhere is no folder"):
        aggregate(whole.config, str(tmp_path), [*parts, "nowhere"])


@pytest.mark.parametrize("text", ["", "x", "0;1", "-1", "0 1.5"])
def test_seeds_are_whole_numbers(whole, text):
    with pytest.raises(ConfigError, match="seeds are whole numbers with spaces between"):
        load_config(whole.file, text)


def test_seeds_of_a_configuration(whole):
    assert load_config(whole.file, "1,0").seeds == [0, 1]
    assert load_config(whole.file, " 1 ").seeds == [1]
    with pytest.raises(ConfigError, match="unknown seed '7'; known: 0, 1"):
        load_config(whole.file, "0 7")
