"""Latency: the order of the rounds, the statistics, and that the state comes back."""

import pytest
import torch
from torch import nn

import pam
from pam.cost import latencies
from pam.cost import latency as module


class Logged(nn.Module):
    def __init__(self, name, log):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.name, self.log = name, log

    def forward(self, x):
        self.log.append((self.name, len(x), self.training, torch.is_inference_mode_enabled()))
        return x


def test_rounds_are_interleaved_in_evaluation_and_inference_mode():
    log = []
    networks = {name: Logged(name, log) for name in "AB"}
    networks["B"].eval()
    timings = latencies(networks, (1, 2, 2), batch_sizes=[1, 3], rounds=2, warmup=1)
    assert [entry[:2] for entry in log] == [(n, b) for b in (1, 3) for _ in range(3) for n in "AB"]
    assert {entry[2:] for entry in log} == {(False, True)}
    assert (networks["A"].training, networks["B"].training) == (True, False)
    assert [(t.name, t.batch_size) for t in timings] == [("A", 1), ("B", 1), ("A", 3), ("B", 3)]


def test_median_and_percentiles_over_rounds(monkeypatch):
    times = iter(range(100, -1, -1))
    monkeypatch.setattr(module, "_time", lambda *_: float(next(times)))
    (timing,) = latencies({"A": Logged("A", [])}, (1, 2, 2), rounds=101, warmup=0)
    assert (timing.low_ms, timing.median_ms, timing.high_ms) == (5.0, 50.0, 95.0)
    assert (timing.rounds, timing.threads, timing.backend) == (101, 1, "torch")


def test_threads_are_set_and_given_back():
    seen = []

    class Threads(Logged):
        def forward(self, x):
            seen.append(torch.get_num_threads())
            raise RuntimeError("stop")

    before = torch.get_num_threads()
    with pytest.raises(RuntimeError):
        latencies({"A": Threads("A", [])}, (1, 2, 2), threads=before + 1)
    assert (seen, torch.get_num_threads()) == ([before + 1], before)


def test_more_work_takes_longer():
    small, large = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 256, 9)
    timings = latencies({"small": small, "large": large}, (1, 64, 64), rounds=5)
    assert 0 < timings[0].low_ms <= timings[0].median_ms <= timings[0].high_ms
    assert timings[0].median_ms < timings[1].median_ms


@pytest.mark.parametrize(
    "bad", [{"rounds": 0}, {"threads": 0}, {"batch_sizes": [1, 0]}, {"warmup": -1}]
)
def test_bad_settings_are_refused(bad):
    with pytest.raises(pam.ConfigError, match="at least 1"):
        latencies({"A": Logged("A", [])}, (1, 2, 2), **bad)
