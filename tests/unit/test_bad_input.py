"""What users get wrong: one sentence on the standard error, exit code 2, never a traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pam.cli.main import main
from pam.config import Paths
from pam.files import read_tensors, write_tensors
from pam.networks import build

CONFIG = """\
seeds: [0]
experiments:
  tiny:
    dataset: digits
    data: {tile: 8, train_strips: 48, validation_strips: 24, test_strips: 24}
    architecture: lenet5
    network: {widths: [2, 3, 5, 4]}
    train: {batch_size: 16, stages: [{epochs: 1, learning_rate: 0.01}]}
    merging: {none: {}, pam: {samples: 16}}
    pruning: {taylor: {strengths: [0.2]}}
    latency: {batch_sizes: [1], rounds: 1}
"""
SHAPE = (1, 8, 32)
WIDTHS = (2, 3, 5, 4)

Words = dict[str, list[str]]


@pytest.fixture(autouse=True, scope="module")
def same_torch_afterwards():
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            patch.setenv(name, "1")
        yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder with a configuration, its data, and two networks as they come from training."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "config.yaml").write_text(CONFIG)
    paths = Paths(str(folder))
    words = ["--config", str(folder / "config.yaml"), "--experiment", "tiny"]
    assert main(["prepare", *words, "--out", paths.data("tiny")]) == 0
    for seed, task in enumerate("AB"):
        network = build("lenet5", SHAPE, 5, task=task, seed=seed, widths=WIDTHS)
        network.save(paths.network("tiny", task, 0))
    return folder


@pytest.fixture
def folder(prepared, tmp_path) -> Path:
    return shutil.copytree(prepared, tmp_path / "run")


def commands(folder: Path) -> dict[str, Words]:
    """Every command as option -> values, all of them right."""
    paths = Paths(str(folder))
    cell = {"--config": [str(folder / "config.yaml")], "--experiment": ["tiny"]}
    seeded = {**cell, "--seed": ["0"], "--data": [paths.data("tiny")]}
    networks = {"--networks": [paths.network("tiny", task, 0) for task in "AB"]}
    files = {"--out": [str(folder / "o.safetensors")], "--record": [str(folder / "o.json")]}
    merging, pruning = {"--merging": ["none"]}, {"--pruning": ["taylor"]}
    merged, pruned = paths.merged("tiny", "none", 0), paths.pruned("tiny", "none", "taylor", 0)
    return {
        "prepare": {**cell, "--out": [str(folder / "data2")]},
        "train": {**seeded, "--task": ["A"], **files},
        "merge": {**seeded, **merging, **networks, **files},
        "prune": {**seeded, **merging, **pruning, "--network": [merged], **files},
        "measure": {
            **{**seeded, **merging, **pruning, **networks},
            **{"--merged": [merged], "--pruned": [pruned], "--record": files["--record"]},
        },
        "aggregate": {"--config": cell["--config"], "--results": [str(folder)]},
        "tables": {"--results": [str(folder)]},
        "figures": {"--results": [str(folder)], "--out": [str(folder / "figures")]},
        "config": {"--config": cell["--config"], "--check": []},
    }


def call(command: str, words: Words) -> int:
    try:
        return main([command, *(w for option, values in words.items() for w in (option, *values))])
    except SystemExit as stopped:
        return int(stopped.code or 0)


def one_sentence(capsys, code: int, says: str) -> None:
    shown = capsys.readouterr()
    assert code == 2, shown.err
    assert says in shown.err
    assert shown.err.startswith("pam: error: ")
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err


ARGUMENTS = {
    "no profile": ("train", "--config", ["nowhere.yaml"], "nowhere.yaml does not exist"),
    "experiment": ("train", "--experiment", ["tinny"], "'tinny'; did you mean 'tiny'?"),
    "experiment to prepare": ("prepare", "--experiment", ["x"], "unknown experiment 'x'; known"),
    "task": ("train", "--task", ["C"], "unknown task 'C'; known: A, B"),
    "merging": ("merge", "--merging", ["pan"], "unknown merging 'pan'; did you mean 'pam'?"),
    "pruning": ("prune", "--pruning", ["tailor"], "'tailor'; did you mean 'taylor'?"),
    "pruning to measure": ("measure", "--pruning", ["x"], "unknown pruning 'x'; known: taylor"),
    "seed not in the file": ("train", "--seed", ["9"], "seed 9 is not in"),
    "seed is no number": ("train", "--seed", ["one"], "a seed is a whole number >= 0, not 'one'"),
    "seed is negative": ("train", "--seed", ["-1"], "--seed"),
    "no data": ("train", "--data", ["nowhere"], "nowhere"),
    "no network": ("merge", "--networks", ["no.safetensors"], "no.safetensors does not exist"),
    "no merged network": ("prune", "--network", ["no.safetensors"], "no.safetensors does not"),
    "no pruned networks": ("measure", "--merged", ["no.safetensors"], "no.safetensors does not"),
    "no results": ("aggregate", "--results", ["nowhere"], "nowhere"),
    "no results to draw": ("figures", "--results", ["nowhere"], "nowhere"),
    "figure": ("figures", "--only", ["piechart"], "unknown figure 'piechart'"),
    "an option that is not there": ("config", "--chek", [], "--chek"),
    "config and schema": ("config", "--schema", [], "not allowed with"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_wrong_argument(name, folder, capsys):
    command, option, values, says = ARGUMENTS[name]
    words = {**commands(folder)[command], option: values}
    one_sentence(capsys, call(command, words), says)


@pytest.mark.parametrize(("words", "says"), [([], "COMMAND"), (["trian"], "trian")])
def test_wrong_command(words, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    one_sentence(capsys, stopped.value.code, says)


CONFIGS = {
    "misspelt key": ("train", "dataset:", "datset:", "did you mean 'dataset'?"),
    "data set": ("prepare", "digits", "didgits", "'didgits'; did you mean 'digits'?"),
    "data set, checked": ("config", "digits", "didgits", "did you mean 'digits'?"),
    "option of the data set": ("prepare", "tile:", "tiles:", "did you mean 'tile'?"),
    "value of the data set": ("prepare", "tile: 8", "tile: -8", "tile"),
    "other tasks": ("prepare", "    data:", "    tasks: [A, C]\n    data:", "tasks A, C, but"),
    "other data": ("train", "dataset: digits", "dataset: fashion_mnist", "holds 'digits'"),
    "architecture": ("train", "lenet5", "lenet6", "'lenet6'; did you mean 'lenet5'?"),
    "architecture, checked": ("config", "lenet5", "lenet6", "did you mean 'lenet5'?"),
    "option of the architecture": ("train", "widths:", "width:", "width"),
    "value of the architecture": (
        "train",
        "[2, 3, 5, 4]",
        "[2, 3, 5]",
        "widths: has too few values",
    ),
    "batch": (
        "train",
        "batch_size: 16",
        "batch_size: 64",
        "train.batch_size: must be at most 48, the images",
    ),
    "merging method": ("merge", "none: {}", "none: {method: nome}", "did you mean 'none'?"),
    "merging method, checked": ("config", "none: {}", "none: {method: nome}", "mean 'none'?"),
    "option of the merging": ("merge", "none: {}", "none: {epochs: 3}", "epochs"),
    "option is text": ("merge", "none: {}", "none: {method: pam, samples: many}", "samples"),
    "option is given": ("merge", "none: {}", "none: {seed: 3}", "unknown option"),
    "option of the pruning": ("config", "[0.2]", "[0.2], intervall: 3", "did you mean 'interval'?"),
    "option of the pruning is text": ("config", "[0.2]", "[0.2], interval: a", "interval"),
    "option of the data set is text": ("prepare", "tile: 8", "tile: a", "data.tile: must be a"),
    "option of the network is text": ("train", "[2, 3, 5, 4]", "[2, 3, 5, a]", "network.widths"),
    "task of the network": ("train", "{widths", "{task: A, widths", "unknown option"),
    "pruning method, checked": ("config", "taylor:", "tailor:", "did you mean 'taylor'?"),
    "no cuda": ("train", "seeds: [0]", "seeds: [0]\ndevice: cuda", "device is 'cuda'"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_wrong_configuration(name, folder, capsys):
    command, old, new, says = CONFIGS[name]
    if name == "no cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    assert old in CONFIG
    (folder / "config.yaml").write_text(CONFIG.replace(old, new, 1))
    one_sentence(capsys, call(command, commands(folder)[command]), says)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def scribble(path: Path) -> None:
    path.write_bytes(b"not a tensor file")


def other_architecture(path: Path) -> None:
    build("vgg16", (1, 32, 32), 5, task="A").save(path)


def other_shape(path: Path) -> None:
    build("lenet5", (1, 12, 48), 5, task="A").save(path)


def other_outputs(path: Path) -> None:
    build("lenet5", SHAPE, 4, task="A", widths=WIDTHS).save(path)


def same_task_twice(path: Path) -> None:
    build("lenet5", SHAPE, 5, task="B", widths=WIDTHS).save(path)


def weights_of_another(path: Path) -> None:
    tensors, meta = read_tensors(path)
    tensors = {name: t[..., :1] if t.ndim > 1 else t for name, t in tensors.items()}
    write_tensors(path, tensors, meta)


def not_a_network(path: Path) -> None:
    write_tensors(path, {}, {"hello": "world"})


DAMAGE = {
    truncate: "is damaged",
    scribble: "is damaged",
    other_architecture: "holds a network of architecture 'vgg16'",
    other_shape: "takes (1, 12, 48) images",
    other_outputs: "4 outputs for task 'A'",
    same_task_twice: "is not the network of one further task",
    weights_of_another: "do not fit the network's description",
    not_a_network: "holds no network",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_wrong_network_file(damage: Callable[[Path], None], folder, capsys):
    path = Path(Paths(str(folder)).network("tiny", "A", 0))
    damage(path)
    code = call("merge", commands(folder)["merge"])
    one_sentence(capsys, code, DAMAGE[damage])


def test_a_network_is_missing(folder, capsys):
    words = commands(folder)["merge"]
    words["--networks"] = words["--networks"][:1]
    one_sentence(capsys, call("merge", words), "lacks the network of task 'B'")


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize("damage", [truncate, scribble, Path.unlink])
def test_wrong_data_file(damage, part, folder, capsys):
    path = Path(Paths(str(folder)).data("tiny")) / f"{part}.safetensors"
    damage(path)
    one_sentence(capsys, call("train", commands(folder)["train"]), path.name)


def test_wrong_data_description(folder, capsys):
    path = Path(Paths(str(folder)).data_description("tiny"))
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    one_sentence(capsys, call("train", commands(folder)["train"]), path.name)


def test_nan_in_a_network_is_said_by_the_merger(folder, capsys):
    path = Path(Paths(str(folder)).network("tiny", "A", 0))
    tensors, meta = read_tensors(path)
    write_tensors(path, {name: t * float("nan") for name, t in tensors.items()}, meta)
    words = {**commands(folder)["merge"], "--merging": ["pam"]}
    one_sentence(capsys, call("merge", words), "NaN")


def test_a_single_network_is_not_a_family(folder, capsys):
    words = commands(folder)["measure"]
    merge = commands(folder)["merge"]
    assert call("merge", merge) == 0
    words["--merged"] = words["--pruned"] = merge["--out"]
    capsys.readouterr()
    one_sentence(capsys, call("measure", words), "several strengths")


def test_a_record_is_damaged(folder, capsys):
    record = Path(Paths(str(folder)).network("tiny", "A", 0, ".json"))
    record.write_text("{")
    words = commands(folder)["aggregate"]
    one_sentence(capsys, call("aggregate", words), f"{record} is damaged or not JSON")


def test_nowhere_to_write(folder, capsys):
    blocked = folder / "file"
    blocked.write_text("")
    words = {**commands(folder)["train"], "--out": [str(blocked / "x.safetensors")]}
    one_sentence(capsys, call("train", words), "cannot write")
