"""The journal of a job: what is found again, what is not, and what never stops a job."""

from types import SimpleNamespace

import pytest
import torch

from pam.durable import checkpoints
from pam.durable.checkpoints import keeping, remember, step
from pam.errors import DataError


@pytest.fixture(autouse=True)
def every_step_is_worth_storing(monkeypatch):
    monkeypatch.setattr(checkpoints, "WORTH_STORING_S", 0.0)


def counted(log, name, value):
    def compute():
        log.append(name)
        return {"x": torch.arange(3) + value}, {"value": value}

    return remember(name, compute)


def test_a_step_is_computed_once(tmp_path):
    log = []
    for _ in range(2):
        with keeping(tmp_path, 60):
            made = [counted(log, "one", 1), counted(log, "two", 2), counted(log, "one", 3)]
        assert [value["value"] for _, value in made] == [1, 2, 3]
        assert [tensors["x"][0].item() for tensors, _ in made] == [1, 2, 3]
    assert log == ["one", "two", "one"]


def test_without_a_journal_nothing_is_kept(tmp_path):
    log = []
    counted(log, "one", 1)
    counted(log, "one", 1)
    assert log == ["one", "one"]
    with step("x") as opened:
        assert not opened.due()
        assert opened.stored is None


def test_steps_within_steps_keep_their_numbers(tmp_path):
    log = []

    def outer():
        counted(log, "inner", 1)
        counted(log, "inner", 2)
        return {}, None

    for _ in range(2):
        with keeping(tmp_path, 60):
            remember("outer", outer)
            counted(log, "last", 5)
    assert log == ["inner", "inner", "last"]


def test_a_step_that_failed_counts_as_well(tmp_path):
    def fails():
        raise DataError("x")

    log = []
    for _ in range(2):
        with keeping(tmp_path, 60):
            with pytest.raises(DataError):
                remember("fails", fails)
            counted(log, "next", 1)
    assert log == ["next"]


def test_short_steps_are_not_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "WORTH_STORING_S", 1.0)
    with keeping(tmp_path, 60):
        counted([], "quick", 1)
    assert not list(tmp_path.iterdir())
    with keeping(tmp_path, 0):
        counted([], "quick", 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_interval_and_the_share_of_time_are_kept(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def pass_time(seconds):
        clock.now += seconds

    with keeping(tmp_path, 2.0), step("s") as opened:
        pass_time(1.9)
        assert not opened.due()
        pass_time(0.2)
        assert opened.due()
        opened.save(lambda: ({}, 1), "here")
        assert not opened.due()

    monkeypatch.setattr(checkpoints, "write_tensors", lambda *arguments: pass_time(1.0))
    with keeping(tmp_path, 0.1), step("t") as opened:
        opened.save(lambda: ({}, 1), "here")
        # Storing took 1 s, so the next is due after 20 s.
        pass_time(19.9)
        assert not opened.due()
        pass_time(0.2)
        assert opened.due()


@pytest.mark.parametrize(
    "error",
    [
        DataError("cannot write x: No space left on device"),
        OSError(28, "No space left"),
        ValueError,
    ],
)
def test_a_full_disk_costs_one_line_and_not_the_job(error, tmp_path, monkeypatch, capsys):
    def refuse(*arguments):
        raise error

    monkeypatch.setattr(checkpoints, "write_tensors", refuse)
    with keeping(tmp_path, 0):
        assert counted([], "one", 1)[1] == {"value": 1}
        assert counted([], "two", 2)[1] == {"value": 2}
        with step("s") as opened:
            opened.save(lambda: ({}, 1), "here")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("pam: going on without checkpoints: ")


def test_what_cannot_be_stored_is_no_error_either(tmp_path, capsys):
    with keeping(tmp_path, 0):
        for _ in range(2):
            assert remember("nan", lambda: ({}, {1, 2})) == ({}, {1, 2})
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())
