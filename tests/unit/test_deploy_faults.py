"""`pam export` with wrong input, a full disk or a wrong file: one sentence, nothing left behind."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pam.data import save_dataset
from pam.deploy import onnx_file, state_dict_file
from pam.networks.family import save_family
from tests.exported_run import Exported, make_run
from tests.small import make_data
from tests.unit.test_bad_input import one_sentence

pytestmark = pytest.mark.usefixtures("same_torch_afterwards")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Exported:
    return make_run(tmp_path_factory.mktemp("run"))


def exit_code(run: Exported, words: dict[str, str], out: Path) -> int:
    usual = {"--combination": "A", "--format": "state_dict", "--rounds": "1"}
    try:
        return run.export(*(w for pair in (usual | words).items() for w in pair), out=out)
    except SystemExit as stopped:
        return int(stopped.code or 0)


WORDS = [
    ({"--combination": "A&D"}, "unknown task 'D'; the tasks are A, B, C"),
    ({"--combination": ""}, "unknown task ''"),
    ({"--strength": "3"}, "no network of strength 3; its strengths: 0.5, 2"),
    ({"--strength": "much"}, "--strength"),
    ({"--format": "tflite"}, "--format"),
    ({"--rounds": "0"}, "needs a whole number above 0, not '0'"),
    ({"--network": "no.safetensors"}, "no.safetensors does not exist"),
    ({"--network": "{pruned}"}, "give --strength: 0.5, 2"),
    ({"--network": "{merged}", "--strength": "0.5"}, "was not pruned: it has no --strength"),
    ({"--data": "nowhere"}, "nowhere"),
]


@pytest.mark.parametrize(("words", "says"), WORDS, ids=[says for _, says in WORDS])
def test_wrong_argument(words, says, made, tmp_path, capsys):
    files = {"merged": made.merged, "pruned": made.pruned}
    words = {option: word.format(**files) for option, word in words.items()}
    one_sentence(capsys, exit_code(made, words, tmp_path / "out"), says)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("out", "words", "says"),
    [
        ("m.onnx", {}, "ends as files of onnx, but --format is state_dict"),
        ("m.safetensors", {"--combination": "all"}, "is one file, but --combination all makes 7"),
    ],
)
def test_wrong_out(out, words, says, made, tmp_path, capsys):
    one_sentence(capsys, exit_code(made, words, tmp_path / out), says)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["pruned", "merged"])
def test_a_network_is_not_overwritten(name, made, capsys):
    path = getattr(made, name)
    before = path.read_bytes()
    one_sentence(capsys, exit_code(made, {}, path), f"would overwrite {path}, which is no exported")
    assert path.read_bytes() == before


def test_a_file_that_was_exported_is_no_network(made, tmp_path, capsys):
    assert exit_code(made, {}, tmp_path) == 0
    exported = str(tmp_path / "pam-taylor-0-0.5-A.safetensors")
    capsys.readouterr()
    one_sentence(capsys, exit_code(made, {"--network": exported}, tmp_path), "holds no network")


def test_data_of_another_run(made, tmp_path, capsys):
    save_dataset(make_data(16, tasks="ABC", seed=3), tmp_path / "data")
    code = exit_code(made, {"--data": str(tmp_path / "data")}, tmp_path / "out")
    one_sentence(capsys, code, "was made with other data than")


DATA = {
    "no such task": (make_data(16, tasks="AB"), "data set 'squares' has no task 'C'"),
    "other labels": (make_data(16, tasks="ABC", B=[0, 1]), "'B' has 1 outputs in the network, but"),
}


@pytest.mark.parametrize("name", DATA)
def test_data_that_do_not_fit(name, made, tmp_path, capsys):
    data, says = DATA[name]
    save_dataset(data, tmp_path / "data")
    save_family(tmp_path / "n.safetensors", {0.5: made.network})
    words = {"--network": str(tmp_path / "n.safetensors"), "--data": str(tmp_path / "data")}
    code = exit_code(made, words | {"--strength": "0.5"}, tmp_path / "out")
    one_sentence(capsys, code, says)


def spoiled(by: float) -> Callable:
    """Return a packer whose files hold another bias of the first output."""
    right = state_dict_file.packer

    def packer(network, tasks):
        other = copy.deepcopy(network)
        with torch.no_grad():
            other.blocks["f5"]["A"].bias[0] += by
        return right(other, tasks)

    return packer


@pytest.mark.parametrize("by", [1e-3, float("nan")])
def test_a_file_that_computes_something_else_is_not_kept(by, made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(state_dict_file, "packer", spoiled(by))
    code = exit_code(made, {}, tmp_path)
    one_sentence(capsys, code, "A.safetensors is not kept: at batch size 1 a score of task 'A'")
    assert not list(tmp_path.iterdir())


def test_an_earlier_file_stays_if_the_new_one_is_wrong(made, tmp_path, monkeypatch, capsys):
    assert exit_code(made, {}, tmp_path) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(state_dict_file, "packer", spoiled(1e-3))
    assert exit_code(made, {}, tmp_path) == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("writer", ["write_bytes", "write_text"])
def test_a_full_disk_leaves_nothing(writer, made, tmp_path, monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, writer, refuse)
    code = exit_code(made, {}, tmp_path)
    one_sentence(capsys, code, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_a_task_that_is_called_as_the_input(tmp_path, capsys):
    made = make_run(tmp_path / "run", ("A", "images"))
    code = exit_code(made, {"--format": "onnx"}, tmp_path / "out")
    one_sentence(capsys, code, "has a task called 'images', as the input of an exported network is")
    assert not (tmp_path / "out").exists()


def test_more_weights_than_an_onnx_file_holds(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(onnx_file, "MOST_BYTES", 100)
    code = exit_code(made, {"--format": "onnx"}, tmp_path)
    one_sentence(capsys, code, "an ONNX file holds 2 GB; export fewer tasks, or as pt2")
    assert not list(tmp_path.iterdir())
