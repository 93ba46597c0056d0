"""The command line: its help, its examples, its exit codes, and a whole small run."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from argparse import _SubParsersAction
from pathlib import Path

import pytest

import pam
from pam.cli.main import command_module, main, make_parser
from pam.config import load_config
from pam.durable.stopping import Interrupted
from pam.files import read_json
from pam.reporting.schema import TABLES
from pam.source.modules import ROOT
from tests.small_run import CONFIG, Run, stand_in

COMMANDS = (
    *("prepare", "pretrain", "train", "merge", "prune", "measure", "relate", "analyse", "init"),
    *("aggregate", "tables", "figures", "gallery", "report", "compare", "reproduction", "samples"),
    *("config", "plan", "conform", "status", "check", "trace", "bench"),
    *("export", "predict"),
)
WITHOUT_TORCH = (
    *("aggregate", "tables", "figures", "gallery", "report", "compare", "reproduction"),
    *("init", "config", "status", "check", "trace"),
)


def parsers() -> dict[str, object]:
    parser = make_parser()
    action = next(a for a in parser._actions if isinstance(a, _SubParsersAction))
    return dict(action.choices)


def test_every_command_is_there_and_has_a_module():
    assert tuple(parsers()) == COMMANDS
    assert all(callable(command_module(name).run) for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_in_the_help_parses(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    _, example = capsys.readouterr().out.split("example:\n")
    words = example.replace("\\\n", " ").split()
    assert words[:2] == ["pam", command]
    parsed = make_parser().parse_args(words[1:])
    if getattr(parsed, "config", None):
        config = load_config(ROOT / parsed.config)
        if hasattr(parsed, "experiment"):
            experiment = config.experiment(parsed.experiment)
            assert getattr(parsed, "merging", "none") in experiment.merging
            assert getattr(parsed, "pruning", "taylor") in experiment.pruning
            assert getattr(parsed, "seed", 0) in config.seeds


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("gallery --figures figures --out ''", "--out: needs the name of a file, not ''"),
        ("check --results a --reference b --out .", "--out: needs the name of a file, not '.'"),
        ("report --results a --out /", "--out: needs the name of a file, not '/'"),
        ("predict --model a.onnx b.png --csv .", "--csv: needs the name of a file, not '.'"),
        ("gallery --figures '' --out a.md", "--figures: needs the name of a folder, not ''"),
        ("config --config ''", "--config: needs the name of a file, not ''"),
        ("bench latency --networks '' --out x.csv", "--networks needs the names of files"),
    ],
)
def test_a_path_without_a_name_is_one_sentence(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(shlex.split(words))
    except SystemExit as stopped:
        code = stopped.code
    shown = capsys.readouterr().err
    assert (code, shown.count("\n")) == (2, 1)
    assert says in shown


def test_names_that_are_no_utf8_are_printed(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    words = [sys.executable, "-m", "pam.cli", "init", folder]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(words, capture_output=True, env=strict)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\udcff" in done.stdout


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"pam {pam.__version__}\n"


def test_light_commands_do_not_import_torch(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    results, out = ["--results", str(tmp_path)], ["--out", str(tmp_path / "out")]
    words = {
        "--help": [],
        "init": [str(tmp_path / "study")],
        "config": ["--config", str(path)],
        "aggregate": ["--config", str(path), *results],
        "tables": results,
        "figures": [*results, *out],
        "gallery": ["--figures", str(tmp_path), *out],
        "report": results,
        "compare": [*results, "--reference", "none"],
        "trace": [str(tmp_path / "measurements.csv")],
        "reproduction": [*results, *out],
        "status": ["--profile", "smoke"],
        "check": [*results, "--reference", str(tmp_path)],
    }
    assert words.keys() == {"--help", *WITHOUT_TORCH}
    program = (
        "import sys\nfrom pam.cli.main import main\n"
        f"for command, words in {words!r}.items():\n"
        "    try:\n        main([command, *words])\n"
        "    except SystemExit:\n        pass\n"
        "    assert 'torch' not in sys.modules, command\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_config_prints_what_it_reads_back(tmp_path, capsys):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    assert main(["config", "--config", str(path)]) == 0
    shown = capsys.readouterr().out
    again = tmp_path / "again.yaml"
    again.write_text(shown)
    assert load_config(again) == load_config(path)
    assert shown.endswith("measure, 0 relate, 0 analyse\n")


def test_init_writes_a_start_into_an_empty_folder_only(tmp_path, capsys):
    new = tmp_path / "study"
    assert main(["init", str(new), "--profile", "smoke"]) == 0
    assert main(["config", "--config", str(new / "config" / "mine.yaml"), "--check"]) == 0
    text = (new / "config" / "mine.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=config.schema.json\n")
    assert main(["init", str(new)]) == 2
    assert f"{new} is not an empty folder" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "other"), "--profile", "smok"]) == 2
    assert "there is no profile 'smok'; did you mean 'smoke'?" in capsys.readouterr().err


def test_config_checks_that_folders_are_there(tmp_path, capsys):
    path = tmp_path / "c.yaml"
    text = (ROOT / "workflow/config/smoke.yaml").read_text(encoding="utf-8")
    text = text.replace("dataset: digits", "dataset: image_attributes")
    path.write_text(re.sub("data: .*", "data: {folder: pets}", text))
    words = ["config", "--config", str(path), "--check", "--data", str(tmp_path / "raw")]
    assert main(words) == 2
    assert f".data.folder: there is no folder {tmp_path}/raw/pets; say" in capsys.readouterr().err
    (tmp_path / "raw" / "pets").mkdir(parents=True)
    assert main(words) == 0


def test_config_schema_and_explain(capsys):
    assert main(["config", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Config"
    assert main(["config", "--explain", "rounds"]) == 0
    assert "Default: 10" in capsys.readouterr().out


def test_a_whole_run(tmp_path, monkeypatch):
    stand_in(monkeypatch)
    run = Run(tmp_path).start()
    run.finish("none", "broken")
    assert run.aggregate() == 0
    assert all(Path(run.paths.csv(name)).is_file() for name in TABLES)

    for path in run.paths.records(run.config):
        record = read_json(path)
        assert (record["status"], record["reason"]) == ("ok", "")
        for table, rows in record["rows"].items():
            for row in rows:
                TABLES[table].check(row)
        assert len(record["rows"]["resources"]) == 1
        assert record["rows"]["resources"][0]["peak_memory_mb"] > 10
        known = {"config_hash", "code_hash", "data_hash", "threads", "device", "environment"}
        assert known <= set(record["provenance"])

    rows = run.record("measure", "none", "halves")["rows"]["measurements"]
    assert [(row["strength"], row["combination"]) for row in rows] == [
        (strength, name) for strength in (0, 1, 2, 3) for name in ("A", "B", "A&B")
    ]
    rows = run.record("train", "B")["rows"]["training"]
    (row,) = rows
    assert (row["stage"], row["task"], row["step"], row["epoch"]) == ("train", "B", 0, 1)
    jobs = read_json(run.paths.manifest)["jobs"]
    assert len(jobs) == len(run.paths.records(run.config))
    assert not any(Path(name).is_absolute() for name in jobs)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (Interrupted(signal.SIGINT), 130, "pam config: stopped by SIGINT"),
        (
            *(Interrupted(signal.SIGTERM, "epoch 3, step 120 of 'train'"), 143),
            "stopped by SIGTERM at epoch 3, step 120 of 'train'; the same command goes on from",
        ),
        (MemoryError(), 2, "not enough memory"),
        (OSError(28, "No space left on device", "x.csv"), 2, "x.csv: No space left"),
    ],
)
def test_exit_codes(error, code, says, monkeypatch, capsys):
    def fails(arguments):
        raise error

    monkeypatch.setattr("pam.cli.config.run", fails)
    assert main(["config", "--schema"]) == code
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_an_error_of_the_program_is_not_hidden(monkeypatch):
    def fails(arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pam.cli.config.run", fails)
    with pytest.raises(OSError, match="Input/output"):
        main(["config", "--schema"])
