"""A run of two experiments, the data of one of which come late."""

import csv
from pathlib import Path

import pytest

from tests.picture_files import encode, pixels
from tests.workflow.test_workflow import fresh_tree, run

pytestmark = pytest.mark.more

ONE = """\
    architecture: lenet5
    network: {widths: [2, 3, 5, 4]}
    train: {batch_size: 16, stages: [{epochs: 1, learning_rate: 0.01}]}
    merging: {none: {}}
    pruning: {taylor: {strengths: [0.5], fine_tune: {stages: []}}}
    latency: {batch_sizes: []}
"""
PROFILE = f"""\
seeds: [0]
experiments:
  here:
    dataset: digits
    data: {{tile: 8, train_strips: 48, validation_strips: 24, test_strips: 24}}
{ONE}
  late:
    dataset: image_attributes
    data: {{folder: pets, size: 12}}
    tasks: [pets, places]
{ONE}
"""


def put_pictures(folder: Path) -> None:
    for split, n in (("train", 40), ("test", 8)):
        (folder / split / "images").mkdir(parents=True)
        rows = ["file,cat,on grass"]
        for i in range(n):
            (folder / split / "images" / f"{i}.png").write_bytes(encode(pixels(i), "PNG"))
            rows.append(f"{i}.png,{i % 2},{i // 2 % 2}")
        (folder / split / "attributes.csv").write_text("\n".join([*rows, ""]))
    (folder / "tasks.yaml").write_text("pets: [cat]\nplaces: [on grass]\n")


def statuses(tree: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    with open(tree / "results/mixed/measurements.csv", newline="") as handle:
        for row in csv.DictReader(handle):
            found.setdefault(row["experiment"], set()).add(row["status"])
    return found


def times(tree: Path, *experiments: str) -> dict[Path, int]:
    paths = (p for name in experiments for p in (tree / "results/mixed").glob(f"*/{name}/*.json"))
    # Preparing is what is tried again.
    return {path: path.stat().st_mtime_ns for path in paths if path.parts[-3] != "data"}


def test_data_that_come_late(tmp_path):
    tree, raw = fresh_tree(tmp_path), tmp_path / "raw"
    (tree / "workflow/config/mixed.yaml").write_text(PROFILE)

    def reproduce(*more: str):
        words = ("--profile", "mixed", "--cores", "2", "--data", str(raw))
        return run(tree, "workflow/reproduce.py", *words, *more)

    refused = reproduce()
    assert refused.returncode == 2
    assert f"late.data.folder: there is no folder {raw}/pets; say" in refused.stderr
    assert not (tree / "results").exists()

    (raw / "pets").mkdir(parents=True)
    first = reproduce()
    assert first.returncode == 1, first.stdout + first.stderr
    assert statuses(tree) == {"here": {"ok"}, "late": {"data_missing"}}
    assert "Nothing of late was measured: data_missing: " in first.stdout
    assert "logs/mixed/prepare/late.log" in first.stdout
    table = (tree / "results/mixed/tables/late-comparison.md").read_text(encoding="utf-8")
    assert "—‡" in table and "‡ all: data missing: " in table

    before = times(tree, "here", "late")
    again = reproduce("--strict")
    assert again.returncode == 1
    assert "Trying again to prepare late." in again.stdout
    assert "Everything is up to date" in again.stdout
    assert times(tree, "here", "late") == before

    plan = reproduce("--retry-failed", "--dry-run")
    assert plan.returncode == 0, plan.stderr
    left = plan.stdout.partition("### Still to run")[2].split()
    assert [left[left.index(f"{rule}:") + 1] for rule in ("train", "merge", "measure")] == list(
        "211"
    )

    put_pictures(raw / "pets")
    last = reproduce("--strict")
    assert last.returncode == 0, last.stdout + last.stderr
    assert statuses(tree) == {"here": {"ok"}, "late": {"ok"}}
    assert times(tree, "here") == {p: t for p, t in before.items() if p.parts[-2] == "here"}
