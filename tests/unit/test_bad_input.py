"""What users get wrong: one sentence on the standard error, exit code 2, never a traceback."""

import shutil
from pathlib import Path

import pytest
import torch

from pam.cli.main import main
from pam.networks import build
from pam.runs.cells import Cell
from pam.runs.paths import Paths
from pam.stages.job import Result
from tests.small_run import Options, Run, profile

CONFIG = profile("{none: {}, pam: {samples: 16}}", "{taylor: {strengths: [0.2]}}")
SHAPE = (1, 8, 32)
WIDTHS = (2, 3, 5, 4)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder with a configuration, its data, and two networks as they come from training."""
    run = Run(tmp_path_factory.mktemp("prepared"), CONFIG)
    assert run.prepare() == 0
    for seed, task in enumerate("AB"):
        network = build("lenet5", SHAPE, 5, task=task, seed=seed, widths=WIDTHS)
        network.save(run.paths.artefact(Cell.of("train", "tiny", task, 0)))
    return run.file.parent


@pytest.fixture
def folder(prepared, tmp_path) -> Path:
    return shutil.copytree(prepared, tmp_path / "run")


def paths_in(folder: Path) -> Paths:
    return Run(folder, "").paths


def commands(folder: Path) -> dict[str, Options]:
    """Every command with its options, all of them right."""
    run = Run(folder, "")
    jobs = ("prepare", "train", "merge", "prune", "measure")
    config, results = {"--config": [str(run.file)]}, {"--results": [run.paths.results]}
    return {
        **{job: run.options(job, pruning="taylor") for job in jobs},
        "aggregate": {**config, **results},
        "tables": results,
        "figures": {**results, "--out": [str(folder / "figures")]},
        "config": {**config, "--check": []},
    }


def call(command: str, words: Options) -> int:
    try:
        return main([command, *(w for option, values in words.items() for w in (option, *values))])
    except SystemExit as stopped:
        return int(stopped.code or 0)


def one_sentence(capsys, code: int, *says: str) -> None:
    shown = capsys.readouterr()
    assert code == 2, shown.err
    assert all(part in shown.err for part in says), shown.err
    assert shown.err.startswith("pam: error: ")
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err


ARGUMENTS = {
    "no profile": ("train", "--config", ["nowhere.yaml"], "nowhere.yaml does not exist"),
    "experiment": ("train", "--experiment", ["tinny"], "'tinny'; did you mean 'tiny'?"),
    "task": ("train", "--task", ["C"], "unknown task 'C'; known: A, B"),
    "merging": ("merge", "--merging", ["pan"], "unknown merging 'pan'; did you mean 'pam'?"),
    "pruning": ("prune", "--pruning", ["tailor"], "'tailor'; did you mean 'taylor'?"),
    "seed not in the file": ("train", "--seed", ["9"], "seed 9 is not in"),
    "seed is no number": ("train", "--seed", ["one"], "a seed is a whole number >= 0, not 'one'"),
    "seed is negative": ("train", "--seed", ["-1"], "--seed"),
    "no data": ("train", "--data", ["nowhere"], "nowhere"),
    "no network": ("merge", "--networks", ["no.safetensors"], "no.safetensors does not exist"),
    "no pruned networks": ("measure", "--merged", ["no.safetensors"], "no.safetensors does not"),
    "no results": ("aggregate", "--results", ["nowhere"], "nowhere"),
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
    "other tasks": ("prepare", "    data:", "    tasks: [A, C]\n    data:", "tasks A, C, but"),
    "other data": ("train", "dataset: digits", "dataset: fashion_mnist", "holds 'digits'"),
    "architecture": ("train", "lenet5", "lenet6", "'lenet6'; did you mean 'lenet5'?"),
    "merging method": ("merge", "none: {}", "none: {method: nome}", "did you mean 'none'?"),
    "option of the network is text": ("train", "[2, 3, 5, 4]", "[2, 3, 5, a]", "network.widths"),
    "task of the network": ("train", "{widths", "{task: A, widths", "unknown option"),
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


@pytest.mark.parametrize(
    ("chosen", "says"),
    [((1, 1), "is not the network of one further task"), ((0,), "lacks the network of task 'B'")],
)
def test_networks_of_other_tasks(chosen, says, folder, capsys):
    words = commands(folder)["merge"]
    words["--networks"] = [words["--networks"][index] for index in chosen]
    one_sentence(capsys, call("merge", words), says)


def test_a_single_network_is_not_a_family(folder, capsys):
    words = commands(folder)["measure"]
    merge = commands(folder)["merge"]
    assert call("merge", merge) == 0
    words["--merged"] = words["--pruned"] = merge["--out"]
    capsys.readouterr()
    one_sentence(capsys, call("measure", words), "several strengths")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"shares": [{"share": 0.5}]}, "unknown CSV file of a run 'shares'"),
        ({"groups": [{"share": 0.5}]}, "the unknown columns [share]"),
    ],
)
def test_rows_that_no_file_takes_are_refused_by_the_job(rows, says, folder, monkeypatch, capsys):
    monkeypatch.setattr("pam.stages.merge.compute", lambda *_: Result(rows=rows))
    words = commands(folder)["merge"]
    one_sentence(capsys, call("merge", words), says)
    assert not Path(words["--out"][0]).exists()


PLACES = [
    ("merge", "--out", lambda words: words["--networks"][:1], "is another file of"),
    ("train", "--out", lambda words: [f"{words['--data'][0]}/test.safetensors"], "is a"),
    ("train", "--record", lambda words: words["--out"], "is another file of"),
    (
        *("train", "--record", lambda words: [f"{words['--data'][0]}/record.json"]),
        "is of another cell; give another",
    ),
    ("train", "--out", lambda _: [""], "needs the name of a file"),
    ("prepare", "--out", lambda _: [""], "needs the name of a folder"),
    ("train", "--record", lambda _: [""], "needs the name of a file"),
    ("train", "--record", lambda words: words["--data"], "needs the name of a file"),
]


@pytest.mark.parametrize(("command", "option", "place", "says"), PLACES)
def test_a_job_overwrites_nothing_that_is_needed(command, option, place, says, folder, capsys):
    words = commands(folder)[command]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    one_sentence(capsys, call(command, words | {option: place(words)}), says)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("learning_rate: 0.01", "learning_rate: 0.02", "was made with other settings than this"),
        ("  tiny:", "  other:", "is a network of experiment 'tiny', not of 'other'"),
    ],
)
def test_networks_of_other_settings_or_experiments(old, new, says, folder, capsys):
    words = commands(folder)
    for task in "AB":
        out = {"--out": [words["merge"]["--networks"]["AB".index(task)]]}
        record = {"--record": [str(Path(out["--out"][0]).with_suffix(".json"))]}
        assert call("train", words["train"] | {"--task": [task]} | out | record) == 0
    (folder / "config.yaml").write_text(CONFIG.replace(old, new))
    experiment = {"--experiment": [new.strip(" :")]} if "other" in new else {}
    capsys.readouterr()
    one_sentence(capsys, call("merge", words["merge"] | experiment), says)


def test_nowhere_to_write(folder, capsys):
    blocked = folder / "file"
    blocked.write_text("")
    words = {**commands(folder)["train"], "--out": [str(blocked / "x.safetensors")]}
    one_sentence(capsys, call("train", words), "cannot write")
