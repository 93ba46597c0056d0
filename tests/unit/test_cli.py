"""The command line: its help, its examples, its exit codes, and a whole small run."""

import json
import signal
import subprocess
import sys
from argparse import _SubParsersAction
from pathlib import Path

import pytest
import torch
import yaml

import pam
from pam.cli import failures
from pam.cli.job import CELL_FAILED
from pam.cli.main import main
from pam.cli.parser import make_parser
from pam.config import load_config
from pam.durable.stopping import Interrupted
from pam.errors import CollapseError, DataError, DivergenceError
from pam.files import read_json, tensor_hash
from pam.merging import MERGERS
from pam.networks import GroupedNetwork, build
from pam.networks.family import load_family, save_family
from pam.pruning import PRUNERS, Pruned
from pam.reporting.schema import TABLES
from tests.small_run import CONFIG, Run

COMMANDS = (
    *("prepare", "train", "merge", "prune", "measure", "relate", "analyse"),
    *("aggregate", "tables", "figures", "report", "reproduction", "samples"),
    *("config", "plan", "conform", "status", "check", "trace", "bench"),
    *("export", "predict"),
)
WITHOUT_TORCH = (
    *("aggregate", "tables", "figures", "report", "reproduction"),
    *("config", "status", "check", "trace"),
)


pytestmark = pytest.mark.usefixtures("same_torch_afterwards")


def parsers() -> dict[str, object]:
    parser = make_parser()
    action = next(a for a in parser._actions if isinstance(a, _SubParsersAction))
    return dict(action.choices)


def test_every_command_is_there_and_has_a_module():
    assert tuple(parsers()) == COMMANDS
    folder = Path(pam.__file__).parent / "cli"
    assert all((folder / f"{name}.py").is_file() for name in COMMANDS)


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
        config = load_config(Path(pam.__file__).parents[1] / parsed.config)
        if hasattr(parsed, "experiment"):
            experiment = config.experiment(parsed.experiment)
            assert getattr(parsed, "merging", "none") in experiment.merging
            assert getattr(parsed, "pruning", "taylor") in experiment.pruning
            assert getattr(parsed, "seed", 0) in config.seeds


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"pam {pam.__version__}\n"


@pytest.mark.parametrize("command", [None, *WITHOUT_TORCH])
def test_light_commands_do_not_import_torch(command, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    words = {
        None: ["--help"],
        "config": ["config", "--config", str(path)],
        "aggregate": ["aggregate", "--config", str(path), "--results", str(tmp_path)],
        "tables": ["tables", "--results", str(tmp_path)],
        "figures": ["figures", "--results", str(tmp_path), "--out", str(tmp_path)],
        "report": ["report", "--results", str(tmp_path), "--figures", str(tmp_path)],
        "trace": ["trace", str(tmp_path / "measurements.csv")],
        "reproduction": ["reproduction", "--results", str(tmp_path), "--out", str(tmp_path / "p")],
        "status": ["status", "--profile", "smoke"],
        "check": ["check", "--results", str(tmp_path), "--reference", str(tmp_path)],
    }[command]
    program = (
        "import sys\nfrom pam.cli.main import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "assert 'pam.cli.parser' in sys.modules\nassert 'torch' not in sys.modules\n"
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


def test_config_schema_and_explain(capsys):
    assert main(["config", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Config"
    assert main(["config", "--explain", "rounds"]) == 0
    assert "Default: 10" in capsys.readouterr().out


def unchanged(network, data, strengths, *, seed):
    """A pruner that prunes nothing."""
    for strength in strengths:
        yield Pruned(strength, network)


def collapses(network, data, strengths, *, seed):
    """A pruner that comes to the first strength only."""
    yield Pruned(strengths[0], network)
    raise CollapseError("task 'A' is no longer connected to the image")


@pytest.fixture
def pruner(monkeypatch):
    """Register a pruner, and have no module asked for its code."""
    monkeypatch.setattr("pam.cli.job.code_hash", lambda *a, **k: "0" * 12)
    monkeypatch.setattr("pam.cli.job.check_experiment", lambda *_: None)

    def register(function) -> None:
        monkeypatch.setitem(PRUNERS._entries, "halves", function)

    register(unchanged)
    return register


@pytest.fixture
def run(tmp_path, pruner) -> Run:
    made = Run(tmp_path)
    assert made.prepare() == 0
    assert [made.train(task) for task in "AB"] == [0, 0]
    return made


def test_a_whole_run(run):
    for merging in ("none", "broken"):
        assert [run.merge(merging), run.prune(merging), run.measure(merging)] == [0, 0, 0]
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

    rows = read_json(run.paths.measured("tiny", "none", "halves", 0))["rows"]["measurements"]
    assert [(row["strength"], row["combination"]) for row in rows] == [
        (strength, name) for strength in (0, 1, 2, 3) for name in ("A", "B", "A&B")
    ]
    jobs = read_json(run.paths.manifest)["jobs"]
    assert len(jobs) == 1 + len(run.paths.records(run.config))
    assert not any(Path(name).is_absolute() for name in jobs)


def test_networks_and_parents_are_what_the_records_say(run):
    assert run.merge("none") == 0
    record = read_json(run.paths.merged("tiny", "none", 0, ".json"))
    trained = GroupedNetwork.load(run.paths.network("tiny", "A", 0))
    assert record["provenance"]["parents"]["networks/tiny/A-0.safetensors"] == tensor_hash(
        trained.state_dict()
    )


def test_the_same_job_gives_the_same_network(run):
    path = Path(run.paths.network("tiny", "A", 0))
    before = path.read_bytes()
    path.unlink()
    assert run.train("A") == 0
    assert path.read_bytes() == before


def test_training_rows_have_one_row_per_epoch(run):
    rows = read_json(run.paths.network("tiny", "B", 0, ".json"))["rows"]["training"]
    assert [(row["stage"], row["task"], row["step"], row["epoch"]) for row in rows] == [
        ("train", "B", 0, 1)
    ]


def test_training_that_diverges_is_a_failed_cell_and_travels_on(tmp_path, pruner, capsys):
    run = Run(tmp_path, CONFIG.replace("learning_rate: 0.01", "learning_rate: 1e30"))
    assert run.prepare() == 0
    assert [run.train(task) for task in "AB"] == [0, 0]
    assert run.train("A", "--strict") == CELL_FAILED
    assert "diverged" in capsys.readouterr().err
    for merging in ("none", "broken"):
        assert [run.merge(merging), run.prune(merging), run.measure(merging)] == [0, 0, 0]
    assert run.merge("none", "--strict") == CELL_FAILED

    for path in run.paths.records(run.config):
        record = read_json(path)
        assert record["status"] == "diverged"
        assert "the loss became" in record["reason"]
    rows = read_json(run.paths.measured("tiny", "none", "halves", 0))["rows"]["measurements"]
    assert len(rows) == 4 * 3
    assert {row["status"] for row in rows} == {"diverged"}
    assert all(row["flops"] is None and row["accuracy"] is None for row in rows)
    assert run.aggregate() == 0


def test_a_merger_that_fails_leaves_the_others_alone(run, monkeypatch):
    def diverges(networks, data, *, seed):
        raise DivergenceError("retrain: the loss became nan")

    assert run.merge("none") == 0
    monkeypatch.setitem(MERGERS._entries, "none", diverges)
    assert run.merge("broken") == 0
    assert read_json(run.paths.merged("tiny", "broken", 0, ".json"))["status"] == "diverged"
    for merging in ("none", "broken"):
        assert [run.prune(merging), run.measure(merging)] == [0, 0]
    statuses = {
        merging: {row["status"] for row in rows}
        for merging in ("none", "broken")
        for rows in [
            read_json(run.paths.measured("tiny", merging, "halves", 0))["rows"]["measurements"]
        ]
    }
    assert statuses == {"none": {"ok"}, "broken": {"diverged"}}
    assert run.aggregate() == 0


def test_pruning_that_stops_keeps_the_weaker_strengths(run, pruner):
    pruner(collapses)
    assert [run.merge("none"), run.prune("none"), run.measure("none")] == [0, 0, 0]
    record = read_json(run.paths.pruned("tiny", "none", "halves", 0, ".json"))
    assert record["status"] == "collapsed"
    assert record["reason"].startswith("strength 2: ")
    assert list(load_family(run.paths.pruned("tiny", "none", "halves", 0))) == [1.0]
    measured = read_json(run.paths.measured("tiny", "none", "halves", 0))
    assert measured["status"] == "ok"
    assert [row["status"] for row in measured["rows"]["accuracies"]] == [
        *(["ok"] * 4),
        *(["collapsed"] * 4),
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DivergenceError("nan"), "diverged"),
        (CollapseError("empty"), "collapsed"),
        (MemoryError(), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
    ],
)
def test_failures_that_belong_to_a_cell(error, status, tmp_path):
    def work():
        raise error

    failure = failures.attempt(work)
    assert isinstance(failure, failures.Failure)
    assert failure.status == status
    for name in ("network.safetensors", "dataset.json"):
        failures.save_failure(tmp_path / name, failure, {"seed": 0})
        assert failures.read_failure(tmp_path / name) == failure


@pytest.mark.parametrize("error", [DataError("x"), RuntimeError("a bug"), KeyError("y")])
def test_all_other_errors_pass_through(error):
    def work():
        raise error

    with pytest.raises(type(error)):
        failures.attempt(work)


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


def test_a_family_comes_back_as_it_was(tmp_path):
    networks = {
        strength: build("lenet5", (1, 8, 8), 2, seed=seed, widths=(2, 2, 3, units))
        for seed, (strength, units) in enumerate([(0.5, 4), (1e-3, 3), (16.0, 1)])
    }
    save_family(tmp_path / "f.safetensors", networks, {"seed": 0})
    loaded = load_family(tmp_path / "f.safetensors")
    assert list(loaded) == [1e-3, 0.5, 16.0]
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for strength, network in networks.items():
        assert loaded[strength].groups() == network.groups()
        assert torch.equal(loaded[strength](images)["A"], network(images)["A"])


def test_resolved_config_of_every_profile_names_registered_plugins(capsys):
    for path in sorted((Path(pam.__file__).parents[1] / "workflow" / "config").glob("*.yaml")):
        assert main(["config", "--config", str(path), "--check"]) == 0
        assert yaml.safe_load(path.read_text()), path
        assert capsys.readouterr().out.startswith("# jobs:")
