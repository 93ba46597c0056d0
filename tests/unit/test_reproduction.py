"""The page of everything that the paper reports, beside what was measured."""

import re
from argparse import Namespace

import pandas as pd
import pytest

from pam import DataError
from pam.cli import reproduction as command
from pam.files import write_json
from pam.reporting.aggregate import aggregate
from pam.reporting.names import Names
from pam.reporting.pages.beside import costs_and_accuracies, reported_of
from pam.reporting.pages.reproduction import reproduction_page
from pam.reporting.published import published
from pam.reporting.storage import read_table, select
from pam.source.modules import ROOT
from tests.reporting_fixtures import write_records
from tests.validation_fixtures import write_validation_records

ENVIRONMENT = {"cpu": "a processor", "cores": 2, "device": None}
ENVIRONMENT |= {"git": {"commit": "0123456789abcdef", "dirty": False}}
NOTES = "### What we think\n\nA *judgement*.\n"


def make_run(folder, dataset="fashion_mnist", **axes):
    """A run of every merger with a manifest, on a data set of the given name."""
    records = write_records(folder, prunings=("vibnet",), **axes)
    aggregate([*records, *write_validation_records(folder)], folder)
    for path in folder.glob("*.csv"):
        path.write_text(path.read_text().replace(",fashion_mnist,", f",{dataset},"))
    jobs = {"train/A-0.json": {"status": "ok", "environment": ENVIRONMENT}}
    write_json(folder / "manifest.json", {"config": {"seeds": [0, 1]}, "jobs": jobs})
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    mergings = ("none", "mtz", "pam")
    two = make_run(folder / "fashion_mnist", mergings=mergings, seeds=(0, 1))
    axes = {"mergings": mergings, "seeds": (0,), "tasks": ("A", "B", "C")}
    return [two, make_run(folder / "cartoon", "cartoon_faces", **axes)]


@pytest.fixture(scope="module")
def page(runs):
    return reproduction_page(runs, NOTES)


def sections(page):
    parts = re.split(r"^## (.*)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_what_was_not_run_has_its_command():
    found = sections(reproduction_page([]))
    profiles = {
        "Fashion-MNIST, two tasks": "fashion_mnist",
        "CelebA, two tasks": "paper",
        "LFW, five tasks": "paper",
        "Stand-ins for the five tasks of LFW": "cartoon",
        "Label relatedness": "cartoon",
        "Validation of the conditions": "fashion_mnist",
    }
    assert list(found) == ["Headline", *profiles]
    assert "4.87 × | not run here" in found["Headline"]
    assert "2.01 × | not run here" in found["Headline"]
    for title, profile in profiles.items():
        assert f"`make reproduce PROFILE={profile}`" in found[title]
    for architecture in ("VGG-16", "ResNet-18", "ResNet-34"):
        assert f"### {architecture} on CelebA" in found["CelebA, two tasks"]


def test_a_figure_that_is_not_known_is_never_a_number():
    known = reported_of("fashion_mnist", "lenet5", "comparison", ("A", "B", "A&B"))
    table = costs_and_accuracies(Names(), "t", known, None)
    rows = {tuple(row[:3]): row for row in table.rows}
    assert rows["Taylor (P2)", "B", "B1 none"][3:8] == [
        *("not known", "not run here", "—", "not known", "not run here")
    ]
    assert rows["VIBNet (P1)", "A&B", "PAM"][3] == "48.68"
    assert rows["Taylor (P2)", "A&B", "PAM"][3] == "26.48"
    assert len(rows) == 2 * 3 * 3


def test_differences_are_measured_against_reported():
    known = reported_of("fashion_mnist", "lenet5", "comparison", ("A",))
    row = {"pruning": "vibnet", "combination": "A", "merging": "pam", "status": "ok", "n": 3}
    for name, value in (("flops", 14_245_000.0), ("accuracy", 0.9567)):
        row |= {f"{name}_mean": value, f"{name}_low": value, f"{name}_high": value}
    table = costs_and_accuracies(Names(), "t", known, pd.DataFrame([row]))
    cells = next(row for row in table.rows if row[0].startswith("VIBNet") and row[2] == "PAM")
    assert (cells[5], cells[8], cells[9]) == ("−50 %", "+1.00", "3")


def test_the_headline_is_the_largest_of_all_runs(runs, page):
    factors = pd.concat(
        [read_table(run, "headline").assign(profile=run.name) for run in runs], ignore_index=True
    )
    for against, reported in (("none", "4.87"), ("mtz", "2.01")):
        own = select(factors, against=against, merging="pam", delta=1.0)
        best = own.loc[own["factor"].idxmax()]
        lines = sections(page)["Headline"].splitlines()
        line = next(line for line in lines if f" {reported} × |" in line)
        assert f"{best['factor']:.2f}" in line and f"`{best['profile']}`" in line


def test_measured_settings_stand_in_their_sections(page):
    found = sections(page)
    assert "profile `fashion_mnist`, fashion" in found["Fashion-MNIST, two tasks"]
    assert "paper / B1" in found["Fashion-MNIST, two tasks"]
    stand_ins = found["Stand-ins for the five tasks of LFW"]
    assert "LeNet-5 on cartoon faces (synthetic): profile `cartoon`, fashion" in stand_ins
    assert "PROFILE=cartoon`" not in stand_ins and "PROFILE=cifar10`" in stand_ins
    assert "base, identical" in found["Label relatedness"]
    assert found["Validation of the conditions"].count("profile `fashion_mnist`, fashion") == 2
    assert "a processor, 2 cores" in found["Where it ran"]
    assert "0123456" in found["Where it ran"]


def test_notes_stand_in_the_page_as_they_are_and_the_order_of_runs_changes_nothing(runs, page):
    assert page.endswith(f"## Notes\n\n{NOTES}")
    assert reproduction_page(reversed(runs), NOTES) == page


def test_folders_that_are_no_runs_are_named(tmp_path, runs):
    with pytest.raises(DataError, match=r"nothing holds no run"):
        reproduction_page([tmp_path / "nothing"])
    with pytest.raises(DataError, match="two of the runs are called 'cartoon'"):
        reproduction_page([runs[1], runs[1]])


def test_the_command_writes_the_page(tmp_path, runs, page):
    notes, out = tmp_path / "notes.md", tmp_path / "page.md"
    arguments = Namespace(results=runs, out=str(out), notes=str(notes))
    with pytest.raises(DataError, match=r"notes\.md cannot be read"):
        command.run(arguments)
    notes.write_text(NOTES)
    assert command.run(arguments) == 0
    assert out.read_text() == page


@pytest.mark.parametrize("name", ["comparison", "sizes", "single_tasks"])
def test_every_published_figure_has_a_source(name):
    table = published(name)
    numbers = [column for column in ("accuracy", "flops") if column in table]
    known = table[numbers].notna().any(axis=1)
    assert (table["source"].notna() == known).all()
    assert set(table["source"].dropna()) <= {"table", "derived", "code"}


def test_the_committed_page_is_that_of_the_committed_references():
    found = [path.parent for path in (ROOT / "results/reference").glob("*/measurements.csv")]
    # A rehearsal of two seeds says nothing of the paper.
    folders = [folder for folder in found if folder.name != "quick"]
    notes = (ROOT / "docs/reproduction_notes.md").read_text(encoding="utf-8")
    committed = (ROOT / "docs/reproduction.md").read_text(encoding="utf-8")
    assert committed == reproduction_page(folders, notes)
