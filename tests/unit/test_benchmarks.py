"""Every benchmark in its smallest form: it runs, its rows have one shape, its references agree."""

import csv
import importlib
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from benchmarks import (
    commands,
    information,
    inputs,
    plain_loop,
    regrouping,
    timing,
    training,
)
from benchmarks.rows import FIELDS, Case, times_as_long, times_faster
from benchmarks.timing import in_own_process, interleaved, interval, peak_gib
from pam.merging.regrouping import irrelevant_order
from pam.networks import build
from pam.pruning.units import remove

SMALLEST = {
    "regrouping": "--naive 5 --neurons 6 --samples --labels --largest 0 --threads 1",
    "training": "--images 64 --sizes 16x64",
    "zipping": "--widths 0.02 --hidden 8 --samples 4 --threads 1",
    "pruning": "--size 12 16 --steps 1",
    "counting": "--networks LeNet-5,+2+tasks",
    "information": "--samples 32 --distances 0 2",
}
NUMBERS = ("seconds", "peer_seconds", "ratio", "low", "high")


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def no_processes(monkeypatch):
    """Processes take seconds to start; what runs in them here runs in this one."""
    monkeypatch.setattr(timing, "in_own_process", lambda work, *given: (work(*given), 0.5))
    monkeypatch.setattr(training, "processes", ThreadPoolExecutor)
    monkeypatch.setattr(training, "cores", lambda: 1)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.more] * (name not in ("counting", "information")))
        for name in SMALLEST
    ],
)
def test_a_benchmark_saves_rows_of_the_one_shape(name, tmp_path, no_processes):
    out = tmp_path / f"{name}.csv"
    words = [word.replace("+", " ") for word in SMALLEST[name].split()]
    importlib.import_module(f"benchmarks.{name}").main(["--out", str(out), "--rounds", "1", *words])
    with open(out, newline="") as handle:
        reader = csv.DictReader(handle)
        rows = list(reader)
    assert tuple(reader.fieldnames) == FIELDS
    assert rows
    for row in rows:
        assert row["benchmark"] == name and row["case"] and row["peer"] and row["machine"]
        assert all(float(row[number]) > 0 for number in NUMBERS)
        assert float(row["low"]) <= float(row["ratio"]) <= float(row["high"])
        assert int(row["n"]) == 1 and int(row["threads"]) in (1, 2)
        if name in ("regrouping", "counting"):
            assert row["difference"] in ("", "0")


@pytest.mark.parametrize("way", regrouping.WAYS)
@pytest.mark.parametrize("scale", regrouping.SCALES.values())
def test_the_naive_search_takes_the_neurons_in_our_order(way, scale):
    activations, labels = regrouping.layer((7, 24, 3), scale)
    naive = regrouping.naive_order(activations, labels, regrouping.WAYS[way])
    assert naive == irrelevant_order(activations, labels).order
    assert naive != sorted(naive)


def test_ratios_are_taken_round_by_round_and_say_which_way_round():
    case = Case("b", "c", {"width": 2}, wanted="ratio>=3")
    ours, theirs = [1.0, 2.0, 1.0], [3.0, 4.0, 5.0]
    faster, longer = (f(case, ours, "p", theirs, value=7) for f in (times_faster, times_as_long))
    assert (faster["ratio"], faster["ratio_of"], faster["n"]) == ("3", "peer/ours", "3")
    assert (longer["ratio"], longer["ratio_of"], longer["seconds"]) == ("0.3333", "ours/peer", "1")
    assert (faster["size"], faster["value"], faster["peak_gib"]) == ("width=2", "7", "")
    with pytest.raises(ValueError, match="no column 'colour'"):
        times_faster(case, ours, "p", theirs, colour="red")


def test_rounds_are_interleaved_and_the_first_do_not_count():
    called = []

    def timer(name):
        return lambda: float(called.append(name) or len(called))

    assert interleaved([timer("a"), timer("b")], rounds=2, warm_ups=1) == [[3, 5], [4, 6]]
    assert called == list("ababab")


def test_a_row_has_the_time_of_its_command_and_the_limit(tmp_path):
    timed = [commands.Command("nothing", ["-c", "pass"], tmp_path, 5)]
    (row,) = commands.measure(timed, rounds=2)
    assert tuple(row) == commands.FIELDS
    assert (row["command"], row["n"], row["limit_s"]) == ("nothing", 2, 5)
    assert 0 < float(row["low"]) <= float(row["seconds"]) <= float(row["high"])
    assert len(timed[0].cpu) == 3


def test_the_interval_holds_the_median_and_widens_with_the_spread():
    low, high = interval([1.0, 1.1, 0.9, 1.05, 0.95])
    assert 0.9 <= low <= 1.0 <= high <= 1.1
    wide_low, wide_high = interval([1.0, 2.0, 0.2, 1.5, 0.5])
    assert wide_low < low and high < wide_high


def test_a_process_of_its_own_has_a_peak_of_its_own():
    ballast = bytearray(300 * 2**20)
    size, peak = in_own_process(len, b"abc")
    assert size == 3
    assert 0 < peak < peak_gib() - 0.1
    assert len(ballast) == 300 * 2**20


def test_the_plain_module_computes_what_the_network_does():
    network = build("lenet5", (1, 12, 16), 3, task="A", seed=0, widths=[2, 3, 6, 5])
    images = torch.randn(4, 1, 12, 16, generator=torch.Generator().manual_seed(0))
    plain = inputs.plain_module(network)
    with torch.no_grad():
        assert torch.allclose(plain(images), network(images)["A"], atol=1e-6)
    assert not any(parameter is p for p in plain.parameters() for parameter in network.parameters())


def test_the_plain_loop_learns_and_counts_right_signs():
    images = torch.randn(64, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = images[:, :, 0, 0].sign()
    data = torch.utils.data.TensorDataset(images, labels)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 1), torch.nn.Tanh())
    how = {"batch_size": 16, "rate": 0.05, "workers": 0}
    losses, accuracies = zip(
        *(plain_loop.train_epoch(network, data, data, **how) for _ in range(20)), strict=True
    )
    assert losses[-1] < losses[0] / 2
    with torch.no_grad():
        assert accuracies[-1] == float((network(images) * labels > 0).float().mean()) > 0.9


def test_decoded_pictures_are_the_normalised_images():
    data = inputs.noise(3, (1, 5, 6), labels=2)
    pictures = plain_loop.Pictures(data, data.train, "B")
    tensors = plain_loop.tensors(data, data.train, "B")
    for (image, labels), (expected, same) in zip(pictures, tensors, strict=True):
        assert torch.allclose(image, expected, atol=1e-6) and torch.equal(labels, same)


def test_the_known_information_is_that_of_the_classes():
    assert information.known_value(0.0) == pytest.approx(0.0, abs=1e-9)
    assert information.known_value(40.0) == pytest.approx(math.log(2), abs=1e-6)
    _, noisy, labels = information.draw(4000, 1.5, seed=3)
    for estimate in (information.by_scikit_learn, information.nearest_neighbours):
        assert estimate(noisy, labels) == pytest.approx(information.known_value(1.5), abs=0.05)
    assert information.nearest_neighbours(noisy, np.roll(labels, 1)) < 0.1


def test_torch_pruning_cuts_the_network_that_we_cut(tmp_path):
    pytest.importorskip("torch_pruning", reason="only in the environment of `make bench`")
    from benchmarks import slicing

    network = build("vgg16", (3, 64, 64), 3, task="A", seed=0, width=0.05, hidden=8)
    keep = slicing.kept_units(network, 0.5)
    gone = {layer: (~mask).nonzero().flatten().tolist() for (layer, _), mask in keep.items()}
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    cut = inputs.plain_module(network).eval()
    slicing.slice_by_graph(cut, gone, images)
    with torch.no_grad():
        assert torch.allclose(cut(images), remove(network, keep)(images)["A"], rtol=1e-4, atol=1e-7)
    words = ["--kept", "0.5", "--pixels", "32", "--width", "0.05", "--rounds", "1"]
    slicing.main(["--out", str(tmp_path / "slicing.csv"), *words])
    assert "torch-pruning" in (tmp_path / "slicing.csv").read_text()
