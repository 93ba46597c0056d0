"""What is committed of the reference runs is what today's code draws of their CSV files."""

import shutil
from pathlib import Path

import pytest

from pam.cli.main import main
from pam.config import load_config
from pam.runs.cells import all_cells
from pam.runs.paths import Paths, profile_file
from pam.source.modules import ROOT

RESULTS, FIGURES = ROOT / "results" / "reference", ROOT / "figures" / "reference"
NAMES = sorted(path.parent.name for path in RESULTS.glob("*/manifest.json"))
NOT_COMMITTED = (".tex", ".svg")
ONCE = ("fashion_mnist", "cifar10", "conditions")
"""Runs that together have every kind of table."""


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.iterdir() if path.suffix not in NOT_COMMITTED)
    return {path.name: path.read_bytes() for path in paths}


def check_same(drawn: Path, committed: Path) -> None:
    one, other = contents(drawn), contents(committed)
    assert one.keys() == other.keys()
    differ = [name for name in one if one[name] != other[name]]
    assert not differ, f"draw {committed} again, and commit {differ}"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.more] * (name not in ONCE)) for name in NAMES]
)
def test_the_tables_are_those_of_the_csv_files(name, tmp_path):
    assert main(["tables", "--results", str(RESULTS / name), "--out", str(tmp_path)]) == 0
    check_same(tmp_path, RESULTS / name / "tables")


@pytest.mark.parametrize("name", NAMES)
def test_the_records_are_those_of_the_profile(name):
    config = load_config(ROOT / profile_file(name))
    folder = RESULTS / name
    foreseen = {Paths(str(folder)).record(cell) for cell in all_cells(config) if cell.experiment}
    assert {str(path) for path in folder.glob("*/*/*.json")} - foreseen == {
        str(path) for path in folder.glob("data/*/dataset.json")
    }
    assert all(Path(path).exists() for path in foreseen)


@pytest.mark.more
@pytest.mark.parametrize("name", NAMES)
def test_make_figures_leaves_a_clone_clean(name, tmp_path):
    assert main(["figures", "--results", str(RESULTS / name), "--out", str(tmp_path)]) == 0
    check_same(tmp_path, FIGURES / name)


@pytest.mark.more
def test_make_report_leaves_a_clone_clean(tmp_path):
    for committed in RESULTS.glob("*/report.html"):
        run = shutil.copytree(committed.parent, tmp_path / committed.parent.name)
        assert main(["report", "--results", str(run)]) == 0
        assert (run / committed.name).read_bytes() == committed.read_bytes(), committed


def test_the_gallery_is_that_of_the_figures(tmp_path):
    page = tmp_path / "docs" / "gallery.md"
    page.parent.mkdir()
    (tmp_path / "figures").symlink_to(ROOT / "figures")
    words = ["--figures", str(tmp_path / "figures/reference"), "--out", str(page)]
    assert main(["gallery", *words]) == 0
    assert page.read_bytes() == (ROOT / "docs" / "gallery.md").read_bytes()
    for picture in FIGURES.glob("*/*.png"):
        assert f"](../figures/reference/{picture.parent.name}/{picture.name})" in page.read_text()


@pytest.mark.parametrize("content", ["{", '{"ratios": {"profile": "quick"}}'])
def test_a_gallery_of_damaged_figures_is_one_sentence(tmp_path, content, capsys):
    origins = tmp_path / "figures" / "quick" / "origins.json"
    origins.parent.mkdir(parents=True)
    origins.write_text(content)
    page = tmp_path / "gallery.md"
    assert main(["gallery", "--figures", str(tmp_path / "figures"), "--out", str(page)]) == 2
    said = f"pam: error: {origins} is damaged: pam figures writes it again\n"
    assert capsys.readouterr().err == said
    assert not page.exists()


def test_a_gallery_of_a_run_is_one_sentence(tmp_path, capsys):
    words = ["--figures", str(RESULTS / "cartoon"), "--out", str(tmp_path / "gallery.md")]
    assert main(["gallery", *words]) == 2
    assert "has no figures of a run" in capsys.readouterr().err
