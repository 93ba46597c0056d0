"""``pam train``, ``merge`` and ``prune`` stopped, and run again by the same command."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pam.cli.main import main
from pam.cli.resuming import FOLDER
from pam.durable import stopping
from pam.files import read_json
from pam.source.modules import ROOT
from tests.interrupting import SafePoints

CONFIG = """\
seeds: [0, 1]
threads: 1
device: cpu
experiments:
  tiny:
    dataset: digits
    data: {tile: 8, train_strips: 64, validation_strips: 24, test_strips: 24}
    architecture: lenet5
    network: {widths: [2, 3, 5, 4]}
    train: {batch_size: 16, stages: [{epochs: 2, learning_rate: 0.01}]}
    merging:
      pam:
        samples: 32
        retrain: &short {stages: [{epochs: 2, learning_rate: 0.01}], batch_size: 16}
      mtz: {samples: 32, retrain: *short}
    pruning:
      taylor: {strengths: [0.2, 0.4]}
      vibnet: {strengths: [1, 2]}
    relatedness:
      pam: {samples: 32, retrain: *short}
    latency: {batch_sizes: [1], rounds: 1}
"""


pytestmark = pytest.mark.usefixtures("same_torch_afterwards")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """A configuration, its data, and two trained networks."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.yaml").write_text(CONFIG)
    prepare = ["prepare", "--config", str(folder / "config.yaml"), "--experiment", "tiny"]
    assert main([*prepare, "--out", str(folder / "data")]) == 0
    for task, seed in ("A", 0), ("B", 0), ("A", 1):
        assert main(command(folder, folder, "train", "--task", task, seed=seed)) == 0
    for merging in ("pam", "mtz"):
        assert main(command(folder, folder, "merge", "--merging", merging)) == 0
    return folder


def command(made: Path, out: Path, rule: str, *cell: str, seed: int = 0) -> list[str]:
    """The words of a job that reads what ``made`` holds and writes to ``out``."""
    name = "-".join([*cell[1::2], str(seed)])
    words = [rule, "--config", str(made / "config.yaml"), "--experiment", "tiny", *cell]
    words += ["--seed", str(seed), "--data", str(made / "data")]
    networks = [str(made / f"train/{task}-0.safetensors") for task in "AB"]
    if rule in ("merge", "relate"):
        words += ["--networks", *networks]
    if rule == "relate":
        words += ["--control", str(made / "train/A-1.safetensors")]
    else:
        words += ["--out", str(out / rule / f"{name}.safetensors")]
    if rule == "prune":
        words += ["--network", str(made / f"merge/{cell[1]}-0.safetensors")]
    return [*words, "--record", str(out / rule / f"{name}.json")]


def outputs(folder: Path) -> dict[str, object]:
    """What the jobs made: networks as bytes, and of the records what is not of this moment."""
    made = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".safetensors" and FOLDER not in path.parts:
            made[path.name] = path.read_bytes()
        elif path.suffix == ".json":
            record = read_json(path)
            record["rows"].pop("resources")
            for fact in ("started", "ended", "environment", "command"):
                record["provenance"].pop(fact)
            # Their paths name the folder.
            record["artefacts"] = list(record["provenance"].pop("artefacts").values())
            made[path.name] = record
    return made


JOBS = {
    "train": ("train", "--task", "A"),
    "merge pam": ("merge", "--merging", "pam"),
    "merge mtz": ("merge", "--merging", "mtz"),
    "prune taylor": ("prune", "--merging", "pam", "--pruning", "taylor"),
    "prune vibnet": ("prune", "--merging", "mtz", "--pruning", "vibnet"),
    "relate": ("relate", "--merging", "pam"),
}


def stopped(monkeypatch, words: list[str], stop_at: int) -> int:
    """Run a command that gets SIGTERM at one of its safe points; return its exit code."""
    points = SafePoints(stop_at=stop_at)
    with monkeypatch.context() as patch:
        patch.setattr("pam.durable.checkpoints.Step.due", lambda step: points.due(step))
        return main(words)


@pytest.mark.parametrize("job", JOBS)
def test_a_stopped_job_goes_on_and_leaves_the_same_files(
    job, run_folder, tmp_path, monkeypatch, capsys
):
    rule, *cell = JOBS[job]
    assert main(command(run_folder, tmp_path / "undisturbed", rule, *cell)) == 0
    words = command(run_folder, tmp_path / "stopped", rule, *cell)
    capsys.readouterr()
    for stop_at in (3, 2):
        assert stopped(monkeypatch, words, stop_at) == 128 + signal.SIGTERM
        assert outputs(tmp_path / "stopped") == {}
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"pam {rule}: stopped by SIGTERM at ")
        assert said.endswith("; the same command goes on from there")
    assert main(words) == 0
    assert outputs(tmp_path / "stopped") == outputs(tmp_path / "undisturbed") != {}
    assert not list((tmp_path / "stopped").rglob(FOLDER))


def test_the_sentence_says_where(run_folder, tmp_path, monkeypatch, capsys):
    words = command(run_folder, tmp_path, "train", "--task", "A")
    for stop_at, where in ((3, "epoch 1, step 3"), (2, "epoch 2, step 1")):
        stopped(monkeypatch, words, stop_at)
        assert f"SIGTERM at {where} of 'train'; " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after"),
    [("learning_rate: 0.01", "learning_rate: 0.02"), ("train_strips: 64", "train_strips: 80")],
)
def test_another_configuration_starts_afresh(before, after, tmp_path, monkeypatch, capsys):
    def folder(name, text):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(text)
        prepare = ["prepare", "--config", str(tmp_path / name / "config.yaml")]
        main([*prepare, "--experiment", "tiny", "--out", str(tmp_path / name / "data")])
        return tmp_path / name

    one, other = folder("one", CONFIG), folder("other", CONFIG.replace(before, after))
    expected = command(other, tmp_path / "expected", "train", "--task", "A")
    assert main(expected) == 0
    made = tmp_path / "made"
    stopped(monkeypatch, command(one, made, "train", "--task", "A"), 3)
    (old,) = (made / "train" / FOLDER).glob("A-0-*")
    stopped(monkeypatch, command(other, made, "train", "--task", "A"), 2)
    (new,) = (made / "train" / FOLDER).glob("A-0-*")
    # The first run's are of no use to anybody any more.
    assert new != old
    assert "epoch 1, step 2" in capsys.readouterr().err
    assert main(command(other, made, "train", "--task", "A")) == 0
    assert outputs(made) == outputs(tmp_path / "expected")


@pytest.mark.parametrize("change", ["code", "seed"])
def test_another_code_or_seed_starts_afresh(change, run_folder, tmp_path, monkeypatch, capsys):
    stopped(monkeypatch, command(run_folder, tmp_path, "train", "--task", "A"), 3)
    if change == "code":
        monkeypatch.setattr("pam.cli.job.code_hash", lambda *_, **__: "0123456789ab")
        monkeypatch.setattr("pam.cli.job.check_experiment", lambda *_: None)
    seed = 1 if change == "seed" else 0
    words = command(run_folder, tmp_path, "train", "--task", "A", seed=seed)
    stopped(monkeypatch, words, 1)
    assert "epoch 1, step 1 of" in capsys.readouterr().err
    kept = sorted(path.name[:3] for path in (tmp_path / "train" / FOLDER).glob("A-*-*"))
    assert kept == (["A-0", "A-1"] if change == "seed" else ["A-0"])


def test_a_failed_cell_leaves_no_checkpoints(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("0.01", "1.0e+20"))
    prepare = ["prepare", "--config", str(tmp_path / "config.yaml"), "--experiment", "tiny"]
    assert main([*prepare, "--out", str(tmp_path / "data")]) == 0
    words = command(tmp_path, tmp_path, "train", "--task", "A")
    assert main([*words, "--checkpoint-every", "0"]) == 0
    assert "diverged" in capsys.readouterr().err
    assert not list(tmp_path.rglob(FOLDER))


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "often"])
def test_an_interval_that_is_none(value, run_folder, tmp_path, monkeypatch, capsys):
    words = command(run_folder, tmp_path, "train", "--task", "A")
    with pytest.raises(SystemExit) as ended:
        main([*words, "--checkpoint-every", value])
    assert ended.value.code == 2
    assert f"needs a number of seconds >= 0, not '{value}'" in capsys.readouterr().err
    monkeypatch.setenv("PAM_CHECKPOINT_EVERY", value)
    with pytest.raises(SystemExit):
        main(words)


WAITING = """
import sys, time
from pam.durable import checkpoints
from pam.durable import stopping
from pam.cli.main import main
passed, due = [], checkpoints.Step.due
def wait_for_the_signal(step):
    passed.append(step)
    while len(passed) == 4 and not stopping.requested():
        time.sleep(0.02)
    return due(step)
checkpoints.Step.due = wait_for_the_signal
sys.exit(main(sys.argv[1:]))
"""


def start_waiting(words: list[str], folder: Path) -> subprocess.Popen:
    """Start a job that waits for a signal at its fourth safe point; return once it has stored."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, *words, "--checkpoint-every", "0"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not list(folder.rglob("*.safetensors")):
        assert time.monotonic() < until, "it never stored a checkpoint"
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_real_signal_to_a_real_process(number, run_folder, tmp_path):
    assert main(command(run_folder, tmp_path / "undisturbed", "train", "--task", "A")) == 0
    words = command(run_folder, tmp_path / "stopped", "train", "--task", "A")
    with start_waiting(words, tmp_path / "stopped") as process:
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 128 + number
    name = signal.Signals(number).name
    assert re.match(rf"pam train: stopped by {name} at epoch 1, step \d of 'train'; ", said)
    assert said.count("\n") == 1
    assert main(words) == 0
    assert outputs(tmp_path / "stopped") == outputs(tmp_path / "undisturbed")
    assert not stopping.requested()


def test_two_jobs_of_one_cell_take_turns(run_folder, tmp_path):
    """What a killed workflow left running has to end before its cell is worked on again."""
    words = command(run_folder, tmp_path, "train", "--task", "A")
    with start_waiting(words, tmp_path) as first:
        second = subprocess.Popen(
            [sys.executable, "-m", "pam.cli", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        with second:
            said = second.stderr.readline()
            first.send_signal(signal.SIGTERM)
            assert first.wait(30) == 128 + signal.SIGTERM
            assert second.wait(60) == 0
    assert said == "pam train: waiting for another process that works on this cell\n"
