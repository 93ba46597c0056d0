"""``pam train``, ``merge`` and ``prune`` stopped, and run again by the same command."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pam.cli.main import main
from pam.durable import stopping
from pam.durable.locks import FOLDER
from pam.files import read_json
from pam.runs.paths import Paths
from pam.source.modules import ROOT
from tests.interrupting import SafePoints
from tests.small_run import LATENCY, Run, profile, stand_in

SHORT = "{stages: [{epochs: 2, learning_rate: 0.01}], batch_size: 16}"
CONFIG = profile(
    f"{{pam: {{samples: 32, retrain: {SHORT}}}, mtz: {{samples: 32, retrain: {SHORT}}}}}",
    "{taylor: {path: {start: 0.1, step: 0.8, most: 2}}, "
    "vibnet: {kl_factor: 0.05, path: {start: 1, step: 3, most: 2}}}",
    f"    relatedness: {{pam: {{samples: 32, retrain: {SHORT}}}}}\n{LATENCY}",
    seeds="[0, 1]",
    strips=64,
    epochs=2,
)


STOPPED = 128 + signal.SIGTERM


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A configuration, its data, trained networks and merged ones."""
    run = Run(tmp_path_factory.mktemp("run"), CONFIG).start()
    assert run.train("A", seed=1) == 0
    assert [run.merge(merging) for merging in ("pam", "mtz")] == [0, 0]
    return run


def into(folder: Path) -> Paths:
    return Paths(str(folder))


def outputs(folder: Path) -> dict[str, object]:
    """What the jobs made: networks as bytes, and of the records what is not of this moment."""
    made = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".safetensors" and FOLDER not in path.parts:
            made[path.name] = path.read_bytes()
        elif path.suffix == ".json":
            record = read_json(path)
            record["rows"].pop("resources")
            record.pop("seal")
            for fact in ("started", "ended", "environment", "command"):
                record["provenance"].pop(fact)
            made[path.name] = record
    return made


JOBS = {
    "train": {"task": "A"},
    "merge": {"merging": "pam"},
    "merge mtz": {"merging": "mtz"},
    "prune": {"merging": "pam", "pruning": "taylor"},
    "prune vibnet": {"merging": "mtz", "pruning": "vibnet"},
    "relate": {"merging": "pam"},
}


def stopped(monkeypatch, words: list[str], stop_at: int) -> int:
    """Run a command that gets SIGTERM at one of its safe points; return its exit code."""
    points = SafePoints(stop_at=stop_at)
    with monkeypatch.context() as patch:
        patch.setattr("pam.durable.checkpoints.Step.due", lambda step: points.due(step))
        return main(words)


@pytest.mark.parametrize("job", JOBS)
def test_a_stopped_job_goes_on_and_leaves_the_same_files(job, run, tmp_path, monkeypatch, capsys):
    rule = job.split()[0]
    assert run.job(rule, **JOBS[job], into=into(tmp_path / "undisturbed")) == 0
    words = run.words(rule, **JOBS[job], into=into(tmp_path / "stopped"))
    capsys.readouterr()
    for stop_at in (3, 2):
        assert stopped(monkeypatch, words, stop_at) == STOPPED
        assert outputs(tmp_path / "stopped") == {}
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"pam {rule}: stopped by SIGTERM at ")
        assert said.endswith("; the same command goes on from there")
    assert main(words) == 0
    assert outputs(tmp_path / "stopped") == outputs(tmp_path / "undisturbed") != {}
    assert not list((tmp_path / "stopped").rglob(FOLDER))


def test_the_sentence_says_where(run, tmp_path, monkeypatch, capsys):
    words = run.words("train", into=into(tmp_path))
    for stop_at, where in ((3, "epoch 1, step 3"), (2, "epoch 2, step 1")):
        stopped(monkeypatch, words, stop_at)
        assert f"SIGTERM at {where} of 'train'; " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after"),
    [("learning_rate: 0.01", "learning_rate: 0.02"), ("train_strips: 64", "train_strips: 80")],
)
def test_another_configuration_starts_afresh(before, after, run, tmp_path, monkeypatch, capsys):
    other = Run(tmp_path, CONFIG.replace(before, after))
    assert [other.prepare(), other.job("train", into=into(tmp_path / "expected"))] == [0, 0]
    made = into(tmp_path / "made")
    stopped(monkeypatch, run.words("train", into=made), 3)
    (old,) = (tmp_path / "made").rglob(f"{FOLDER}/A-0-*")
    stopped(monkeypatch, other.words("train", into=made), 2)
    (new,) = (tmp_path / "made").rglob(f"{FOLDER}/A-0-*")
    # The first run's are of no use to anybody any more.
    assert new != old
    assert "epoch 1, step 2" in capsys.readouterr().err
    assert other.job("train", into=made) == 0
    assert outputs(tmp_path / "made") == outputs(tmp_path / "expected")


@pytest.mark.parametrize("change", ["code", "seed"])
def test_another_code_or_seed_starts_afresh(change, run, tmp_path, monkeypatch, capsys):
    stopped(monkeypatch, run.words("train", into=into(tmp_path)), 3)
    if change == "code":
        stand_in(monkeypatch)
    seed = 1 if change == "seed" else 0
    stopped(monkeypatch, run.words("train", seed=seed, into=into(tmp_path)), 1)
    assert "epoch 1, step 1 of" in capsys.readouterr().err
    kept = sorted(path.name[:3] for path in tmp_path.rglob(f"{FOLDER}/A-*-*"))
    assert kept == (["A-0", "A-1"] if change == "seed" else ["A-0"])


def test_a_failed_cell_leaves_no_checkpoints(tmp_path, capsys):
    run = Run(tmp_path, CONFIG.replace("0.01", "1.0e+20"))
    assert [run.prepare(), run.train("A", "--checkpoint-every", "0")] == [0, 0]
    assert "diverged" in capsys.readouterr().err
    assert not list(tmp_path.rglob(FOLDER))


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "often"])
def test_an_interval_that_is_none(value, run, tmp_path, monkeypatch, capsys):
    words = run.words("train", into=into(tmp_path))
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


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.more)]
)
def test_a_real_signal_to_a_real_process(number, run, tmp_path):
    assert run.job("train", into=into(tmp_path / "undisturbed")) == 0
    words = run.words("train", into=into(tmp_path / "stopped"))
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


@pytest.mark.more
def test_two_jobs_of_one_cell_take_turns(run, tmp_path):
    """What a killed workflow left running has to end before its cell is worked on again."""
    words = run.words("train", into=into(tmp_path))
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
