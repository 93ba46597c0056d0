"""Timing of calls: the order of the rounds, the statistics, and bad settings."""

import pytest

import pam
from pam.cost import latency as module
from pam.cost.latency import Times, time_interleaved


class Clock:
    """A clock that stands still but for what calls take."""

    def __init__(self, monkeypatch):
        self.now, self.log = 0, []
        monkeypatch.setattr(module, "perf_counter_ns", lambda: self.now)

    def call(self, name, *milliseconds):
        """A call that takes these times, one after the other, over and over."""
        taken = 0

        def run():
            nonlocal taken
            self.now += milliseconds[taken % len(milliseconds)] * 1_000_000
            taken += 1
            self.log.append(name)

        return run


def test_calls_are_interleaved_round_by_round(monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"A": clock.call("A", 1), "B": clock.call("B", 10), "C": clock.call("C", 100)}
    times = time_interleaved(
        calls, rounds=2, warmup=1, after_round=lambda: clock.log.append("round")
    )
    assert clock.log == [*"ABC", *"ABC", "round", *"ABC", "round"]
    assert {name: list(one.ms) for name, one in times.items()} == {
        "A": [1, 1],
        "B": [10, 10],
        "C": [100, 100],
    }


def test_warm_up_and_progress_do_not_count(monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"A": clock.call("A", 500, 400, 3, 5)}
    times = time_interleaved(calls, rounds=2, warmup=2, after_round=clock.call("bar", 1000))
    assert list(times["A"].ms) == [3, 5]


def test_rounds_of_two_calls_are_pairs(monkeypatch):
    clock = Clock(monkeypatch)
    times = time_interleaved(
        {"slow": clock.call("s", 8, 80), "fast": clock.call("f", 2, 20)}, rounds=4, warmup=0
    )
    assert list(times["slow"].ms / times["fast"].ms) == [4, 4, 4, 4]


def test_median_and_percentiles_over_rounds(monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"A": clock.call("A", *range(100, -1, -1))}
    (times,) = time_interleaved(calls, rounds=101, warmup=0).values()
    assert isinstance(times, Times)
    assert times.spread._asdict() == {"median_ms": 50.0, "low_ms": 5.0, "high_ms": 95.0}


@pytest.mark.parametrize("bad", [{"rounds": 0}, {"warmup": -1}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(pam.ConfigError, match="at least 1 round"):
        time_interleaved({}, **bad)
