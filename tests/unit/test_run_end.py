"""What ``make reproduce`` says at its end."""

from argparse import Namespace
from pathlib import Path

import pytest
import reproduce

from pam.reporting.aggregate import aggregate
from tests.reporting_fixtures import fail, write_records


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pam.cli.main.main", lambda words: 0)
    return Path("results/tiny")


def end(folder: Path, capsys, is_new: bool = True, strict: bool = False) -> tuple[int, list[str]]:
    options = Namespace(profile="tiny", strict=strict)
    code = reproduce._report(options, "It is complete.", is_new)
    return code, capsys.readouterr().out.splitlines()


def records(folder: Path, name: str) -> list[Path]:
    return write_records(folder, name, ("none", "pam"), ("taylor",), seeds=(0,))


def test_a_verdict_and_where_to_look(folder, monkeypatch, capsys):
    aggregate(records(folder, "one"), folder)
    code, lines = end(folder, capsys)
    assert code == 0
    assert [line.split()[0] for line in lines if line] == [
        *("It", "LeNet-5", "1", "2", "any", "page", "tables", "next", ".venv/bin/pam")
    ]
    (folder / "report.html").touch()
    made = []
    monkeypatch.setattr("pam.cli.main.main", made.append)
    said = end(folder, capsys, is_new=False)[1]
    assert said == ["It is complete.", "The page: results/tiny/report.html"]
    # It was empty.
    assert made == [["report", "--results", "results/tiny"]]


def test_an_experiment_of_which_nothing_is_left_fails_the_run(folder, capsys):
    lost = records(folder, "lost")
    for path in lost:
        fail(path, reason="the data are gone")
    aggregate([*records(folder, "one"), *lost], folder)
    code, lines = end(folder, capsys)
    assert code == 1
    assert lines[0].startswith("Nothing of lost was measured: diverged: the data are gone")
    assert "the data are gone" in lines[-1]


def test_a_cell_that_failed_fails_only_a_strict_run(folder, capsys):
    every = records(folder, "one")
    fail(next(path for path in every if path.parent.parent.name == "measured"))
    aggregate(every, folder)
    assert end(folder, capsys)[0] == 0
    assert end(folder, capsys, strict=True)[0] == 1


def test_the_last_error_of_the_logs_stands_last(folder):
    log = Path("logs/tiny/prune/a.log")
    log.parent.mkdir(parents=True)
    log.write_text("much\npam: error: no such thing\n")
    assert reproduce._last_words("tiny", 0.0) == f"{log}: pam: error: no such thing"
    log.write_text("all is well\n")
    assert reproduce._last_words("tiny", 0.0) == "see logs/tiny/"


def test_all_that_snakemake_leaves_for_a_moment_lies_in_the_folder_of_the_run(folder):
    Path(".snakemake/locks").mkdir(parents=True)
    Path(".snakemake/locks/0.output.lock").touch()
    started = []

    class Recorder:
        def run(self, command, look=None, *, env, **options):
            started.append((command[-1], Path(env["TMPDIR"]).name))
            return Namespace(returncode=0)

    assert reproduce._run(Recorder(), ["snakemake"], 0, "all") == 0
    assert [word for word, _ in started] == ["--unlock", "all"]
    assert all(name.startswith(reproduce.TEMPORARY) for _, name in started)
