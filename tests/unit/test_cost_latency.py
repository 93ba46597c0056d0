"""Timing: calls round by round, and sub-networks: what runs, in which state, same scores."""

import pytest
import torch

import pam
from pam.cost import Times, backends, latencies, time_interleaved, usable_backends
from pam.networks import subnetwork
from tests.small import make_networks, share_some, side_by_side

BOTH = ["torch", "onnxruntime"]


class Clock:
    """A clock that stands still but for what calls take."""

    def __init__(self, monkeypatch):
        self.now, self.log = 0, []
        monkeypatch.setattr(pam.cost.latency, "perf_counter_ns", lambda: self.now)

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
    ms = {name: list(one.ms) for name, one in times.items()}
    assert ms == {"A": [1, 1], "B": [10, 10], "C": [100, 100]}


def test_warm_up_and_progress_do_not_count(monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"A": clock.call("A", 500, 400, 3, 5)}
    times = time_interleaved(calls, rounds=2, warmup=2, after_round=clock.call("bar", 1000))
    assert list(times["A"].ms) == [3, 5]


def test_median_and_percentiles_over_rounds(monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"A": clock.call("A", *range(100, -1, -1))}
    (times,) = time_interleaved(calls, rounds=101, warmup=0).values()
    assert isinstance(times, Times)
    assert times.spread._asdict() == {"median_ms": 50.0, "low_ms": 5.0, "high_ms": 95.0}


@pytest.fixture(scope="module")
def networks():
    made = make_networks("AB")
    return {"none": side_by_side(made).eval(), "pam": share_some(made).eval()}


@pytest.fixture
def log(monkeypatch):
    """What ran: (network, tasks, images, evaluation mode, inference mode, torch threads)."""
    calls = []

    def view(network, tasks):
        module = subnetwork.view(network, tasks)

        def logged(images):
            state = (torch.is_inference_mode_enabled(), torch.get_num_threads())
            calls.append((network, "&".join(tasks), len(images), not network.training, *state))
            return module(images)

        return logged

    monkeypatch.setattr(backends, "view", view)
    return calls


def test_networks_of_one_combination_follow_each_other_in_every_round(networks, log):
    timings = latencies(networks, batch_sizes=[1, 3], rounds=2, warmup=1)
    names = {id(network): name for name, network in networks.items()}
    order = [(name, tasks) for tasks in ("A", "B", "A&B") for name in networks]
    ran = [(names[id(one)], tasks, images) for one, tasks, images, *_ in log]
    # Each block runs all once to check them, once more to warm up, and twice with the clock.
    assert [one for one in ran if one[2] == 3] == ran[len(ran) // 2 :]
    assert [one[:2] for one in ran] == 8 * order
    assert [(t.network, t.combination) for t in timings] == 2 * order
    assert [t.batch_size for t in timings] == 6 * [1] + 6 * [3]


def test_evaluation_and_inference_mode_and_threads_are_set_and_given_back(networks, log):
    network, before = networks["pam"], torch.get_num_threads()
    network.train()
    latencies({"pam": network}, combinations=["A"], threads=[before + 1], rounds=1)
    assert {entry[3:] for entry in log} == {(True, True, before + 1)}
    assert (network.training, torch.get_num_threads()) == (True, before)
    network.eval()


def test_threads_are_given_back_after_an_error(networks, monkeypatch):
    def broken(network, tasks):
        raise RuntimeError("stop")

    before = torch.get_num_threads()
    monkeypatch.setattr(backends, "view", broken)
    with pytest.raises(RuntimeError, match="stop"):
        latencies(networks, threads=[before + 1])
    assert torch.get_num_threads() == before


@pytest.fixture
def sessions(monkeypatch):
    """What ONNX Runtime was asked for, session by session, and what was recorded for it."""
    import onnxruntime

    asked, recorded = [], []

    def session(model, options, providers):
        spins = options.get_session_config_entry("session.intra_op.allow_spinning")
        asked.append((options.intra_op_num_threads, options.inter_op_num_threads, spins, providers))
        return real(model, options, providers=providers)

    def record(*arguments):
        recorded.append(list(arguments[2]))
        return whole(*arguments)

    real, whole = onnxruntime.InferenceSession, backends.onnx_model
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(backends, "onnx_model", record)
    return asked, recorded


def test_every_backend_combination_batch_size_and_number_of_threads(networks, sessions):
    steps = []
    timings = latencies(
        {"pam": networks["pam"]},
        combinations=["B&A", "A", "A&B"],
        backends=BOTH,
        batch_sizes=[1, 2],
        threads=[1, 2],
        rounds=3,
        progress=lambda: steps.append(1),
    )
    assert [(t.threads, t.batch_size, t.combination, t.backend) for t in timings] == [
        (threads, batch_size, combination, backend)
        for threads in (1, 2)
        for batch_size in (1, 2)
        for combination in ("A&B", "A")
        for backend in BOTH
    ]
    assert len(steps) == 4 * (4 + 3)
    for timing in timings:
        row = timing.columns()
        assert (timing.network, row["rounds"]) == ("pam", 3)
        assert 0 < row["low_ms"] <= row["median_ms"] <= row["high_ms"]
    asked, recorded = sessions
    cpu = ["CPUExecutionProvider"]
    assert asked == 4 * [(1, 1, "0", cpu)] + 4 * [(2, 1, "0", cpu)]
    assert recorded == [["A", "B"]], "one recording serves all combinations"


def test_a_backend_that_computes_something_else_is_refused(networks, monkeypatch):
    class Wrong(backends.Backend):
        def call(self, network, tasks, images, threads):
            right = super().call(network, tasks, images, threads)
            return lambda: [score + 2e-4 for score in right()]

    monkeypatch.setitem(backends.BACKENDS, "wrong", Wrong)
    with pytest.raises(pam.DataError, match=r"'wrong' .* for pam, A: they differ by 0.0002"):
        latencies({"pam": networks["pam"]}, backends=["torch", "wrong"])


def test_compiled_networks_are_whole_and_compiled_before_the_clock_runs(networks, monkeypatch):
    """Torch's tracer with all its checks; only the translation to C++ is left out: it is slow."""
    compiled, ran = [], []

    def count(graph, inputs):
        compiled.append(len(inputs[0]) if inputs else 0)
        return graph.forward

    def compile_(module, *, fullgraph, dynamic):
        assert fullgraph and not dynamic
        return real(module, fullgraph=True, dynamic=False, backend=count)

    def timed(calls, **options):
        ran.append(len(compiled))
        return interleaved(calls, **options)

    real, interleaved = torch.compile, pam.cost.latency.time_interleaved
    monkeypatch.setattr(torch, "compile", compile_)
    monkeypatch.setattr(pam.cost.latency, "time_interleaved", timed)
    timings = latencies(
        networks, combinations=["A&B"], backends=["compile"], batch_sizes=[1, 2], rounds=2
    )
    assert ran == [2, 4] and len(compiled) == 4
    assert {timing.backend for timing in timings} == {"compile"}


def test_backends_that_do_not_run_here_are_told_and_left_out(monkeypatch):
    def no_compiler(x):
        raise RuntimeError("No working C++ compiler found\nand a long traceback")

    monkeypatch.setattr(torch, "compile", lambda *a, **k: no_compiler)
    backends._compiler_fault.cache_clear()
    try:
        usable, notes = usable_backends(["torch", "compile", "onnxruntime"])
    finally:
        backends._compiler_fault.cache_clear()
    assert usable == BOTH
    assert notes == [
        "backend 'compile' does not work here (No working C++ compiler found): not timed"
    ]
    usable, notes = usable_backends(BOTH, "cuda")
    assert usable == ["torch"]
    assert notes == ["backend 'onnxruntime' runs on the CPU only: not timed"]


def test_unknown_names_are_refused(networks):
    with pytest.raises(pam.ConfigError, match="unknown backend 'tvm'; known: torch, compile"):
        usable_backends(["torch", "tvm"])
    with pytest.raises(pam.ConfigError, match="unknown backend 'tvm'"):
        latencies(networks, backends=["tvm"])
    with pytest.raises(pam.ConfigError, match="unknown task 'C'"):
        latencies(networks, combinations=["C"])


@pytest.mark.parametrize(
    "bad", [{"rounds": 0}, {"threads": [1, 0]}, {"batch_sizes": [1, 0]}, {"warmup": -1}]
)
def test_bad_settings_are_refused(networks, bad):
    with pytest.raises(pam.ConfigError, match="at least 1"):
        latencies(networks, **bad)
    if "rounds" in bad or "warmup" in bad:
        with pytest.raises(pam.ConfigError, match="at least 1 round"):
            time_interleaved({}, **bad)
