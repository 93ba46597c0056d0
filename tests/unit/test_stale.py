"""Rows of earlier code are known by their run's manifest, and figures and tables say so."""

import pytest

from pam.cli.main import main
from pam.files import read_json, write_sealed
from pam.history.stale import present_code, stale_stages, stale_tables
from pam.reporting.figures import style
from pam.reporting.run import stale_notes
from pam.reporting.schema import TABLES
from pam.runs.record import Provenance
from pam.runs.stages import AXES, method_axis
from tests.reporting_fixtures import write_run

METHODS = {"none": "none", "zip": "pam", "near": "pam", "vibnet": "vibnet"}
OF_CONDITIONS = {"exclusivity", "redundancy", "redundancy_samples"}
OF_OTHERS = {*OF_CONDITIONS, "relatedness", "training", "neuron_information"}
EVERYWHERE = {"resources", "failures"}
EARLIER = "0123456789ab"


def job(rule: str, **axes: str) -> dict:
    known = {"rule": rule, "experiment": "fashion", "architecture": "lenet5", **axes}
    config = {}
    if axis := method_axis(rule):
        row = axes[AXES[axis].column or axis]
        config = {AXES[axis].section: {"method": METHODS[row]}}
    known |= {"config": config}
    return known | {"code_hash": present_code(Provenance(**known))}


@pytest.fixture
def run(tmp_path):
    """A folder with a manifest of today's code, and a way to change what one job ran."""
    jobs = {
        "prepare": job("prepare"),
        "train": job("train", task="A"),
        "merge none": job("merge", merging="none"),
        "merge zip": job("merge", merging="zip"),
        "prune": job("prune", merging="zip", pruning="vibnet"),
        "measure": job("measure", merging="zip", pruning="vibnet"),
        "relate": job("relate", merging="near"),
    }
    manifest = {"config": {}, "jobs": jobs}

    def write(*earlier: str):
        for name in jobs:
            jobs[name]["code_hash"] = EARLIER if name in earlier else jobs[name]["code_hash"]
        write_sealed(tmp_path / "manifest.json", manifest)
        return tmp_path

    return write


def test_todays_rows_are_not_stale_nor_is_a_folder_without_a_manifest(run, tmp_path):
    assert stale_stages(tmp_path) == stale_stages(run()) == {}


def test_stages_and_rows_of_earlier_code_are_named(run):
    folder = run("merge zip", "prune")
    assert stale_stages(folder) == {"fashion": {"merge": ("zip",), "prune": ()}}
    tables = stale_tables(folder)
    assert tables["fashion", "matched"] == "merge zip, prune"
    assert tables["fashion", "neuron_information"] == "merge zip"
    assert ("fashion", "relatedness") not in tables


@pytest.mark.parametrize(
    ("stage", "tables"),
    [
        ("prepare", set(TABLES)),
        ("train", set(TABLES)),
        ("relate", {"relatedness"} | EVERYWHERE),
        ("measure", set(TABLES) - OF_OTHERS),
    ],
)
def test_tables_are_stale_with_the_stages_that_make_their_rows(run, stage, tables):
    assert set(stale_tables(run(stage))) == {("fashion", name) for name in tables}


def test_what_is_drawn_of_a_reference_run_never_changes_with_code(run, tmp_path):
    folder = tmp_path / "reference" / "old"
    folder.mkdir(parents=True)
    (run("prune") / "manifest.json").rename(folder / "manifest.json")
    assert stale_stages(folder) and stale_tables(folder) == {}


def test_a_method_that_is_no_longer_there_makes_rows_stale(run):
    folder = run()
    manifest = read_json(folder / "manifest.json")
    manifest["jobs"]["prune"]["config"]["pruning"]["method"] = "gone"
    write_sealed(folder / "manifest.json", manifest)
    assert stale_stages(folder) == {"fashion": {"prune": ()}}


def test_a_note_says_every_stage_once():
    stale = {("one", "groups"): "merge", ("one", "matched"): "merge", ("two", "groups"): "prune"}
    assert stale_notes(stale, "one", ["groups", "matched", "training"]) == [
        "Stale: from rows of earlier code (merge)"
    ]
    assert stale_notes(stale, "two", ["matched"]) == []


def test_figures_and_tables_of_stale_rows_say_so(run, capsys, monkeypatch):
    stamped = []
    monkeypatch.setattr(style, "stamp", lambda figure, *lines: stamped.append(lines))
    folder = run()
    axes = {"mergings": ("none", "pam"), "prunings": ("vibnet",), "seeds": (0, 1)}
    write_run(folder, **axes)
    words = ["figures", "--results", str(folder), "--out", str(folder / "f"), "--only", "ratios"]
    assert main(words) == 0
    assert capsys.readouterr().out == ""
    assert not any("Stale" in line for line in stamped[0])
    assert main(["tables", "--results", str(folder)]) == 0
    assert "Stale" not in (folder / "tables/comparison.md").read_text()

    run("prune")
    assert main(words) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert stamped[1] == (*stamped[0], "Stale: from rows of earlier code (prune)")
    assert main(["tables", "--results", str(folder)]) == 0
    for name in ("comparison.md", "comparison.tex", "sensitivity.md"):
        assert "Stale: from rows of earlier code (prune)." in (folder / "tables" / name).read_text()
