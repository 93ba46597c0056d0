"""The page of everything that the paper reports, beside what was measured."""

import json
import re
from argparse import Namespace

import pandas as pd
import pytest
from PIL import Image

from pam import ConfigError, DataError
from pam.cli import reproduction as command
from pam.files import write_sealed
from pam.reporting.aggregate import aggregate
from pam.reporting.figures import overview
from pam.reporting.figures.style import source_hash
from pam.reporting.pages.beside import costs_and_ratios
from pam.reporting.pages.reproduction import answer_of, read_runs, reproduction_page
from pam.reporting.pages.requests import cheapest, costs_sentence
from pam.reporting.published import published
from pam.reporting.run import Run
from pam.reporting.statistics.claims import NOT_TESTED, TOO_FEW
from pam.reporting.storage import read_table, select
from pam.source.modules import ROOT
from tests.reporting_fixtures import fail, write_records
from tests.validation_fixtures import write_validation_records

ENVIRONMENT = {"cpu": "a processor", "cores": 2, "device": None}
ENVIRONMENT |= {"git": {"commit": "0123456789abcdef", "dirty": False}}
PARTS = ("mean", "low", "high")
NOTES = "### What we think\n\nA *judgement*.\n"


def make_run(folder, dataset="fashion_mnist", **axes):
    """A run of every merger with a manifest, on a data set of the given name."""
    records = write_records(folder, prunings=("vibnet",), **axes)
    aggregate([*records, *write_validation_records(folder)], folder)
    for path in folder.glob("*.csv"):
        path.write_text(path.read_text().replace(",fashion_mnist,", f",{dataset},"))
    jobs = {"train/A-0.json": {"status": "ok", "environment": ENVIRONMENT}}
    write_sealed(folder / "manifest.json", {"config": {"seeds": [0, 1]}, "jobs": jobs})
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
    return reproduction_page(read_runs(runs), NOTES)


def sections(page):
    parts = re.split(r"^## (.*)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_what_was_not_run_has_its_command():
    found = sections(reproduction_page([]))
    assert list(found) == ["The paper's claims", "Not run here"]
    assert found["The paper's claims"].count(NOT_TESTED) == 8
    lines = found["Not run here"].splitlines()
    for profile, words in {
        "fashion_mnist": "LeNet-5 on Fashion-MNIST (two tasks)",
        "paper": "VGG-16 on CelebA (two tasks), ResNet-18 on CelebA (two tasks)",
        "cartoon": "LeNet-5 on cartoon faces (synthetic) (stand in)",
    }.items():
        assert any(f"PROFILE={profile}`" in line and words in line for line in lines)


def test_the_table_of_costs_has_the_papers_figures_beside(runs):
    table = costs_and_ratios(Run(runs[0]), "fashion")
    rows = {tuple(row[:3]): dict(zip(table.header, row, strict=True)) for row in table.rows}
    pam = rows["VIBNet (P1)", "A&B", "PAM"]
    known = [pam[f"paper {name}"] for name in ("MFLOPs", "/ B1", "/ B2", "accuracy (%)")]
    assert known == ["48.68", "0.86", "0.93", "95.19"]
    assert rows["VIBNet (P1)", "any request", "PAM"]["paper MFLOPs"] == "—"
    matched = select(read_table(runs[0], "matched"), requirement="mean", delta=1, merging="pam")
    row = select(matched, combination="A&B").iloc[0]
    assert pam["/ B1"].startswith(f"{row['flops_vs_none_mean']:.2f}")
    assert not any("paper" in name for name in costs_and_ratios(Run(runs[1]), "fashion").header)


def test_measured_settings_stand_in_their_sections(page):
    found = sections(page)
    titles = ("LeNet-5 on Fashion-MNIST", "LeNet-5 on cartoon faces (synthetic)")
    for title, profile in zip(titles, ("fashion_mnist", "cartoon"), strict=True):
        for section in ("Expected cost of a request", "Costs and ratios"):
            assert f"### {title}: profile `{profile}`, fashion" in found[section]
    assert "95.19" in found["Costs and ratios"] and "paper 96.05" in found["Costs and ratios"]
    assert "PROFILE=cartoon`" not in found["Not run here"]
    assert "PROFILE=cifar10`" in found["Not run here"]
    assert "base, identical" in found["Label relatedness"]
    assert sum(title.startswith("Condition") for title in found) == 2
    assert "a processor, 2 cores" in found["Where it ran"]
    assert "0123456" in found["Where it ran"]


def test_controls_are_compared_with_pam(tmp_path, page):
    assert "Controls" not in sections(page)
    run = make_run(tmp_path / "run", mergings=("none", "pam", "random"), seeds=(0, 1))
    found = sections(reproduction_page(read_runs([run])))["Controls"]
    assert "/ PAM |" in found
    rows = [line for line in found.splitlines() if "| random (control)" in line]
    assert len(rows) == len(("A", "B", "A&B", "any request"))


def test_rows_that_failed_everywhere_leave_the_page(tmp_path):
    run = make_run(tmp_path / "run", mergings=("none", "pam", "random"), seeds=(0, 1))
    for path in (run / "measured").rglob("pam-*.json"):
        fail(path)
    manifest = (run / "manifest.json").read_bytes()
    aggregate(sorted(run.rglob("*-*.json")), run)
    (run / "manifest.json").write_bytes(manifest)
    (read,) = runs = read_runs([run])
    assert "Controls" not in sections(reproduction_page(runs))
    assert "PAM" not in costs_sentence(read, "fashion", "vibnet")
    assert cheapest(read, "vibnet", []) == "no row comes within δ in every seed."


def test_notes_stand_in_the_page_as_they_are_and_the_order_of_runs_changes_nothing(runs, page):
    assert page.endswith(f"## Notes\n\n{NOTES}")
    assert reproduction_page(read_runs(reversed(runs)), NOTES) == page


def test_folders_that_are_no_runs_are_named(tmp_path, runs):
    with pytest.raises(DataError, match=r"nothing holds no run"):
        read_runs([tmp_path / "nothing"])
    with pytest.raises(DataError, match="two of the runs are called 'cartoon'"):
        read_runs([runs[1], runs[1]])


def test_the_command_writes_the_page_and_the_answer(tmp_path, runs, page):
    notes, out, readme = (tmp_path / name for name in ("notes.md", "page.md", "README.md"))
    picture = tmp_path / "picture.png"
    arguments = Namespace(results=runs, out=str(out), notes=str(notes), answer=str(readme))
    arguments.picture = str(picture)
    with pytest.raises(DataError, match=r"notes\.md cannot be read"):
        command.run(arguments)
    notes.write_text(NOTES)
    readme.write_text("# Title\n")
    with pytest.raises(DataError, match=r"README\.md has no lines"):
        command.run(arguments)
    readme.write_text(f"# Title\n\n{command.BEGIN}\nold\n{command.END}\n\nMore.\n")
    arguments.picture = "picture.jpg"
    with pytest.raises(ConfigError, match=r"ends with \.png"):
        command.run(arguments)
    arguments.picture = str(picture)
    assert not out.exists() and "old" in readme.read_text()
    assert command.run(arguments) == 0
    assert out.read_text() == page
    answer = answer_of(read_runs(runs))
    written = f"# Title\n\n{command.BEGIN}\n{answer}\n{command.END}\n\nMore.\n"
    assert readme.read_text() == written
    origin = json.loads(Image.open(picture).info["Description"])
    assert origin["runs"].keys() == {"cartoon", "fashion_mnist"}
    drawn = picture.read_bytes()
    assert command.run(arguments) == 0
    assert picture.read_bytes() == drawn


def test_what_merging_alone_does_is_lost_before_pruning(runs, page):
    rows = select(read_table(runs[0], "accuracies"), strength=0, merging="pam")
    lost = 100 * (rows["single_task_validation_accuracy"] - rows["validation_accuracy"])
    seeds = lost.groupby(rows["seed"]).mean()
    ends = f"{seeds.mean():.2f} [{seeds.min():.2f}, {seeds.max():.2f}]"
    assert f"| {ends} |" in sections(page)["What merging alone does"]


def test_the_answer_has_the_largest_factors_of_enough_seeds(runs, monkeypatch):
    assert "The largest factor" not in answer_of(read_runs(runs))
    monkeypatch.setattr("pam.reporting.statistics.claims.LEAST_SEEDS", 1)
    answer = answer_of(read_runs(runs))
    tables = [select(read_table(run, "headline"), delta=1, status="ok") for run in runs]
    for against, words in {"none": "B1", "mtz": "B2"}.items():
        known = pd.concat(select(table, against=against) for table in tables)
        known = known[known["merging"] != "none"]
        told = f"of any merger against {words}, 1 point lost: {known['factor'].max():.2f} "
        assert (told in answer) == bool(len(known))
    assert "of any merger against B1" in answer


def test_the_answer_has_the_best_and_the_worst_ratio_of_the_csv_file(runs):
    answer = answer_of(read_runs(runs))
    matched = select(read_table(runs[0], "matched"), requirement="mean", merging="pam", status="ok")
    for claim, reference, tasks in (
        ("All tasks run", "none", ["A&B"]),
        ("than the shared network", "mtz", ["A", "B"]),
    ):
        name = f"flops_vs_{reference}"
        rows = matched[matched["combination"].isin(tasks)].dropna(subset=f"{name}_mean")
        rows = rows.sort_values(f"{name}_mean").iloc[[0, -1]]
        ends = (
            "{:.2f} [{:.2f}, {:.2f}]".format(*(row[f"{name}_{end}"] for end in PARTS))
            for row in rows.to_dict("records")
        )
        assert answer.partition(claim)[2].partition("**, ")[2].startswith(" to ".join(ends))
    assert "paper 0.86" in answer and TOO_FEW in answer
    with pytest.raises(DataError, match="there is no answer"):
        answer_of(read_runs(runs[1:]))


@pytest.mark.parametrize("name", ["comparison", "single_tasks"])
def test_every_published_figure_has_a_source(name):
    table = published(name)
    numbers = [column for column in ("accuracy", "flops") if column in table]
    known = table[numbers].notna().any(axis=1)
    assert (table["source"].notna() == known).all()
    assert set(table["source"].dropna()) <= {"table", "derived", "code"}


@pytest.fixture(scope="module")
def references():
    found = [path.parent for path in (ROOT / "results/reference").glob("*/measurements.csv")]
    # A rehearsal of two seeds says nothing of the paper.
    return read_runs(folder for folder in found if folder.name != "quick")


def test_the_committed_page_is_that_of_the_committed_references(references):
    notes = (ROOT / "docs/reproduction_notes.md").read_text(encoding="utf-8")
    committed = (ROOT / "docs/reproduction.md").read_text(encoding="utf-8")
    assert committed == reproduction_page(references, notes)


def test_the_readme_has_the_answer_of_the_committed_references(references):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    between = readme.partition(command.BEGIN)[2].partition(command.END)[0]
    assert between.strip() == answer_of(references).strip()


def test_the_picture_of_the_readme_is_drawn_from_the_committed_references(references):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    picture = Image.open(ROOT / re.search(r"!\[.*\]\((.*)\)", readme)[1])
    hashes = {run.profile: source_hash(run.folder, overview.SOURCES) for run in references}
    assert json.loads(picture.info["Description"])["runs"] == hashes
