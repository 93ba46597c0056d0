"""`pam export`: what it writes, what the files and cards say, and that they run on their own."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from hypothesis import given

import pam
from pam.cost import macs, paper_flops, parameters, task_accuracy
from pam.cost.latency import Spread
from pam.deploy import FORMATS, open_model
from pam.deploy.card import card_of
from pam.deploy.exported import open_trusted
from pam.deploy.exporting import export
from pam.deploy.source import Source
from pam.files import file_hash, read_tensors, stored_hash
from pam.networks import GroupedNetwork
from pam.networks.family import load_family, save_family
from pam.source.modules import ROOT
from tests.examples import examples
from tests.exported_run import Exported, make_run, scores_by
from tests.property.test_exported_networks import check_format
from tests.random_networks import networks

pytestmark = pytest.mark.usefixtures("same_torch_afterwards")

ALL = ("A", "B", "C", "A+B", "A+C", "B+C", "A+B+C")
# Torch takes a second for each .pt2 file.
COMBINATIONS = {"onnx": ALL, "pt2": ("A+B", "A+C"), "state_dict": ALL}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Exported:
    """A run with a pruned network, exported in every format."""
    made = make_run(tmp_path_factory.mktemp("run"))
    for name, combinations in COMBINATIONS.items():
        for asked in ("all",) if combinations == ALL else combinations:
            words = ["--combination", asked.replace("+", "&"), "--format", name]
            assert made.export(*words, "--rounds", "2") == 0
    return made


@pytest.mark.parametrize("name", FORMATS)
def test_all_writes_every_combination_and_its_card(name, run):
    files = {path.name for path in run.out.iterdir() if path.suffix == FORMATS[name]}
    assert files == {f"pam-taylor-0-0.5-{one}{FORMATS[name]}" for one in COMBINATIONS[name]}
    cards = {path.name for path in run.out.glob(f"*{FORMATS[name]}.md")}
    assert cards == {f"{file}.md" for file in files}
    assert not list(run.out.glob(".*"))


@pytest.mark.parametrize(
    ("name", "combination"), [(name, one) for name, some in COMBINATIONS.items() for one in some]
)
def test_a_file_gives_the_networks_scores_on_pixels(name, combination, run):
    model = open_trusted(run.file(combination, FORMATS[name]), name)
    for size in (1, 7):
        scores = model.scores(run.data.test.images[:size].numpy())
        assert list(scores) == combination.split("+")
        for task, score in scores.items():
            np.testing.assert_allclose(score, run.scores[task][:size], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_says_what_it_is(name, run):
    about = open_trusted(run.file("A+C", FORMATS[name]), name).about
    assert about.input_shape == (1, 12, 16)
    assert (about.mean, about.std, about.threshold) == ([0.5], [0.3], 0)
    assert about.tasks == {"A": ["label 0", "label 1"], "C": ["label 1", "label 3", "label 4"]}
    assert about.version == pam.__version__
    own = {"strength": 0.5, "combination": "A&C", "network_sha256": stored_hash(run.pruned)}
    assert about.origin == {**run.cell, **own}


def test_onnx_metadata_are_json_under_simple_keys(run):
    model = onnx.load(run.file("A+C", ".onnx"))
    said = {one.key: json.loads(one.value) for one in model.metadata_props}
    assert said["pam.input_shape"] == [1, 12, 16]
    assert said["pam.normalisation"] == {"mean": [0.5], "std": [0.3], "unit": "pixel / 255"}
    assert [one["task"] for one in said["pam.tasks"]] == ["A", "C"]
    assert all(key.startswith("pam.") for key in said)


@pytest.mark.parametrize("combination", ["A", "B", "A+B"])
def test_a_file_is_dense(combination, run):
    """It holds the weights of the sub-network, and none of the other groups."""
    model = onnx.load(run.file(combination, ".onnx"))
    weights = sum(int(np.prod(one.dims)) for one in model.graph.initializer if one.data_type == 1)
    assert weights == parameters(run.network, combination.split("+"))
    assert weights < parameters(run.network, list("ABC"))


@pytest.mark.parametrize("name", FORMATS)
def test_no_folder_of_this_machine_is_in_a_file(name, run):
    content = run.file("A+B", FORMATS[name]).read_bytes()
    for folder in (ROOT, Path(torch.__file__).parents[1], Path(sys.prefix), run.folder):
        assert str(folder).encode() not in content


def test_the_card_says_what_is_measured(run):
    path = run.file("A+C", ".onnx")
    card = card_of(path).read_text(encoding="utf-8")
    for count in (
        paper_flops(run.network, "A&C"),
        macs(run.network.subnetwork("A&C"), (1, 12, 16)),
        parameters(run.network, "A&C"),
    ):
        assert f" {count:,} |" in card
    assert f" {paper_flops(run.merged_network, 'A&C'):,} |" in card
    assert f"{path.stat().st_size:,} bytes" in card
    assert file_hash(path) in card
    assert "n = 2 rounds" in card
    assert "| C | 2 | label 4 |" in card
    assert "interval: 7" in card
    assert all(f"| {axis} | {value} |" in card for axis, value in run.cell.items() if axis in card)
    for task, accuracy in task_accuracy(run.network, run.data).items():
        assert (f"| {task} | {100 * accuracy.test:.2f} % |" in card) == (task in "AC")
    assert "n = 32 images (measured with this file)" in card
    for task in "AC":
        no = float((run.data.test.labels[:, run.data.tasks[task]] == -1).float().mean())
        assert re.search(rf"^\| {task} \| .* \| {100 * no:.2f} % \| — \| — \|$", card, re.MULTILINE)


def test_hugging_face_reads_the_card(run):
    card = card_of(run.file("A+C", ".onnx")).read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---\n")[1])
    assert (header["license"], header["library_name"]) == ("apache-2.0", "onnx")
    results = header["model-index"][0]["results"]
    accuracies = task_accuracy(run.network, run.data)
    assert [one["metrics"][0]["value"] for one in results] == [
        pytest.approx(accuracies[task].test, abs=1e-6) for task in "AC"
    ]


def test_accuracies_of_the_run_are_taken_where_they_are_of_this_network(run):
    def card() -> str:
        assert run.export("--combination", "A", "--format", "state_dict", "--rounds", "1") == 0
        return card_of(run.file("A", ".safetensors")).read_text(encoding="utf-8")

    run.write_measured(stored_hash(run.pruned), {"A": 0.1234})
    written = card()
    assert "| A | 12.34 % |" in written
    assert "| 20.00 % | -7.66 |" in written
    assert '**Task A is no more accurate than always answering "no"**' in written
    run.write_measured("of another network", {"A": 0.1234})
    assert "| A | 12.34 % |" not in card()
    run.measured.unlink()


@pytest.mark.parametrize(("slowest", "trusted"), [(1.4, True), (1.6, False)])
def test_the_card_says_when_its_latency_is_not_to_be_trusted(
    run, tmp_path, monkeypatch, slowest, trusted
):
    spread = Spread(1.0, 0.9, slowest)
    monkeypatch.setattr("pam.deploy.exporting._time", lambda *_: spread)
    assert run.export("--combination", "A", "--format", "state_dict", out=tmp_path) == 0
    (card,) = tmp_path.glob("*.md")
    assert ("**Not to be trusted**" not in card.read_text(encoding="utf-8")) == trusted


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("onnx", ["torch", "pam", "onnx", "safetensors"]),
        pytest.param(
            *("pt2", ["pam", "onnx", "onnxruntime", "safetensors"]), marks=pytest.mark.more
        ),
        ("state_dict", ["pam", "onnx", "onnxruntime"]),
    ],
)
def test_the_snippet_of_the_card_runs_without_this_project(name, refused, run, tmp_path):
    path = run.file("A+C", FORMATS[name])
    shutil.copy(path, tmp_path)
    np.save(tmp_path / "pixels.npy", run.data.test.images.numpy())
    loaded = 'np.load("pixels.npy")'
    if name != "onnx":
        loaded = "torch.from_numpy(__import__('numpy').load('pixels.npy'))"
    card = card_of(path).read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]
    program, replaced = re.subn(r"pixels = .*# your images", f"pixels = {loaded}", code)
    assert replaced == 1
    program = f"import sys\nsys.modules.update(dict.fromkeys({refused}))\n{program}"
    words = [sys.executable, "-I", "-c", program]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{image} {task} {[name for name, x in zip(run.labels(task), row, strict=True) if x > 0]}"
        for task in "AC"
        for image, row in enumerate(run.scores[task].tolist())
    ]


def test_a_network_that_is_not_what_its_record_says_is_refused(run, tmp_path, capsys):
    copied = shutil.copytree(run.folder, tmp_path / "copy")
    path = copied / run.pruned.relative_to(run.folder)
    save_family(path, {0.5: run.merged_network}, {"origin": run.cell})
    words = ["--strength", "0.5", "--combination", "A", "--format", "state_dict"]
    assert run.export("--network", str(path), *words) == 2
    assert f"{path} is not what its record says" in capsys.readouterr().err


def test_merged_and_single_task_networks(run, tmp_path):
    merged = ["--network", str(run.merged), "--combination", "B"]
    assert run.export(*merged, "--format", "state_dict", "--rounds", "1", out=tmp_path) == 0
    single = ["--network", str(run.single), "--strength", "0", "--combination", "A"]
    assert run.export(*single, "--format", "onnx", "--rounds", "1", out=tmp_path / "one.onnx") == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        *("pam-0-B.safetensors", "pam-0-B.safetensors.md", "one.onnx", "one.onnx.md")
    }
    for name, network in (("pam-0-B.safetensors", run.merged), ("one.onnx", run.single)):
        made = open_model(tmp_path / name).scores(run.data.test.images.numpy())
        (task, scores), *rest = made.items()
        wanted = scores_by(GroupedNetwork.load(network), run.data)[task]
        np.testing.assert_allclose(scores, wanted, rtol=0, atol=1e-5)
        assert not rest


def test_state_dict_is_that_of_the_subnetwork(run):
    weights, _ = read_tensors(run.file("A+C", ".safetensors"))
    run.network.subnetwork("A&C").load_state_dict(weights)


@pytest.mark.more
@examples(2)
@given(networks(3))
def test_random_networks_as_onnx(network):
    # Here, not beside the other formats: the exporter takes seconds to load.
    check_format(network, "onnx")


def test_a_task_may_be_called_like_an_operation(tmp_path):
    made = make_run(tmp_path, tasks=("relu", "conv2d"))
    assert made.export("--combination", "all", "--format", "onnx", "--rounds", "1") == 0
    assert list(open_model(made.file("relu+conv2d", ".onnx")).about.tasks) == ["relu", "conv2d"]


def test_networks_of_every_strength(run, tmp_path):
    family = load_family(run.pruned)
    assert list(family) == [0.5, 2.0]
    words = ["--combination", "A", "--format", "state_dict", "--strength", "2", "--rounds", "1"]
    assert run.export(*words, out=tmp_path) == 0
    model = open_model(tmp_path / "pam-taylor-0-2-A.safetensors")
    scores = model.scores(run.data.test.images.numpy())["A"]
    wanted = scores_by(family[2.0], run.data)["A"]
    np.testing.assert_allclose(scores, wanted, rtol=0, atol=1e-5)


def test_the_library_alone(run, tmp_path):
    """Without a run around it: a network and a data set are enough."""
    files = export(Source(run.network, "mine"), run.data, [("B",)], "state_dict", tmp_path)
    assert [one.path.name for one in files] == ["mine-B.safetensors"]
    assert "`squares`" in (tmp_path / "mine-B.safetensors.md").read_text(encoding="utf-8")
