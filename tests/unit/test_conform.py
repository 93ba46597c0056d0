"""``pam conform``: built-in plug-ins pass, and a broken one is told what is missing."""

import copy
from dataclasses import replace

import pytest
import torch

from pam.cli.conform import parse_options
from pam.cli.main import main
from pam.conformance import conform
from pam.data import DATASETS
from pam.data import load as load_data
from pam.errors import ConfigError
from pam.merging import MERGERS, merge
from pam.networks import ARCHITECTURES, Architecture, architecture
from pam.pruning import PRUNERS, Pruned, connected, curve_rows, remove, unit_keys
from pam.training import Epoch

STILL = {"stages": []}
EPOCH = {"stages": [{"epochs": 1, "learning_rate": 0.01}], "batch_size": 128}
# Options that make a method quick; what it is stays the same.
MERGER_OPTIONS = {
    "none": {},
    "zipit": {"samples": 48},
    **{name: {"retrain": EPOCH} for name in ("all_shared", "mtz")},
    **{name: {"samples": 48, "retrain": STILL} for name in ("pam", "pam_zip", "random")},
}
PRUNER_OPTIONS = {
    "taylor": {"fine_tune": EPOCH, "interval": 1, "event_fraction": 0.2},
    "vibnet": {"fine_tune": EPOCH, "penalty": EPOCH},
    **{name: {"fine_tune": EPOCH} for name in ("l1", "random")},
}
ARCHITECTURE_OPTIONS = {
    "lenet5": {"widths": [3, 4, 6, 5]},
    "vgg16": {"width": 0.05, "hidden": 4},
    **{name: {"width": 0.02, "stem": "small"} for name in ("resnet18", "resnet34")},
}
DATASET_OPTIONS = {
    "digits": {"tile": 8, "train_strips": 64, "validation_strips": 16, "test_strips": 16},
    "cartoon_faces": {"train_images": 200, "validation_images": 40, "test_images": 40},
}
# Their raw files are not in the repository.
NEED_FILES = {"fashion_mnist", "celeba", "lfw", "image_attributes"}


@pytest.fixture
def plugin(monkeypatch):
    """Enter a plug-in for the time of a test."""

    def enter(registry, name, entry):
        monkeypatch.setitem(registry._entries, name, entry)
        return name

    return enter


def failures(kind, name, options=None, **settings) -> dict[str, str]:
    """What a plug-in is told: check -> what is missing."""
    results = conform(kind, name, options, **settings)
    return {one.says: one.missing for one in results if not one.passed}


def only(found: dict[str, str], words: str) -> str:
    """The one failure whose check holds some words, beside that of the code, which is no module."""
    found = {says: missing for says, missing in found.items() if "finds its code" not in says}
    assert len(found) == 1, found
    (says,) = found
    assert words in says
    return found[says]


def test_every_built_in_plugin_is_examined_here():
    assert set(MERGER_OPTIONS) == set(MERGERS)
    assert set(PRUNER_OPTIONS) == set(PRUNERS)
    assert set(ARCHITECTURE_OPTIONS) == set(ARCHITECTURES)
    assert set(DATASET_OPTIONS) | NEED_FILES == set(DATASETS)


@pytest.mark.parametrize("name", MERGER_OPTIONS)
def test_mergers_conform(name):
    assert failures("merger", name, MERGER_OPTIONS[name]) == {}


@pytest.mark.parametrize("name", PRUNER_OPTIONS)
def test_pruners_conform(name):
    assert failures("pruner", name, PRUNER_OPTIONS[name]) == {}


@pytest.mark.parametrize("name", ARCHITECTURE_OPTIONS)
def test_architectures_conform(name):
    assert failures("architecture", name, ARCHITECTURE_OPTIONS[name]) == {}


@pytest.mark.parametrize("name", DATASET_OPTIONS)
def test_datasets_conform(name):
    assert failures("dataset", name, DATASET_OPTIONS[name]) == {}


# What breaks a contract is seen. A merger that is `none` but for one fault:


def merger_with(fault):
    def merger(networks, data, *, seed):
        network = merge(networks, "none", data)
        fault(networks, data, network)
        return network

    return merger


def draws(networks, data, network):
    with torch.no_grad():
        next(network.parameters()).normal_()


def changes_input(networks, data, network):
    with torch.no_grad():
        next(networks["A"].parameters()).add_(1)


def looks_at_test(networks, data, network):
    len(data.test)


def notes_a_tensor(networks, data, network):
    network.notes["seen"] = torch.zeros(1)


def counts_to_two(networks, data, network):
    (_first, _second) = networks


@pytest.mark.parametrize(
    ("fault", "check", "missing"),
    [
        (draws, "same seed", "different networks"),
        (changes_input, "stay as they are", "task A has other weights"),
        (notes_a_tensor, "written to the record", "TypeError: Object of type Tensor"),
        (counts_to_two, "2, 3 and 5 tasks", "too many values to unpack"),
    ],
)
def test_a_fault_of_a_merger_is_seen(plugin, fault, check, missing):
    found = failures("merger", plugin(MERGERS, "faulty", merger_with(fault)))
    if fault is counts_to_two:
        found = {says: why for says, why in found.items() if check in says}
    assert missing in only(found, check)


def test_a_merger_that_looks_at_the_test_part_stops_at_once(plugin):
    found = failures("merger", plugin(MERGERS, "faulty", merger_with(looks_at_test)))
    assert list(found.values()) == ["the test part of the data is looked at"]


def test_a_merger_that_takes_anything_is_told(plugin):
    def merger(networks, data, *, seed, **options):
        return merge(networks, "none", data)

    found = failures("merger", plugin(MERGERS, "faulty", merger))
    assert "no_such_option" in only(found, "unknown option")


def test_code_that_the_workflow_cannot_find_is_told(plugin):
    found = failures("merger", plugin(MERGERS, "faulty", merger_with(lambda *_: None)))
    (says,) = found
    assert "finds its code" in says
    assert "no module of pam.merging registers 'faulty'" in found[says]


# A pruner that removes the last unit of every group, but for one fault:


def pruner_with(fault):
    def pruner(network, data, strengths, *, seed):
        current = network if fault == "in place" else copy.deepcopy(network)
        for strength in strengths[:1] if fault == "stops" else strengths:
            keep = {key: torch.arange(n) < max(1, n - 1) for key, n in unit_keys(current)}
            scores = {key: mask.double() for key, mask in keep.items()}
            smaller = remove(current, connected(current, keep, scores))
            if fault == "in place":
                with torch.no_grad():
                    next(network.parameters()).add_(1)
            current = network if fault == "grows" and strength > 0.5 else smaller
            phase = "later" if fault == "phase" else "prune"
            rows = curve_rows([Epoch(0, 0, 0.1, 1.0, {})], phase)
            yield Pruned(strength, current, rows)

    return pruner


@pytest.mark.parametrize(
    ("fault", "check", "missing"),
    [
        ("stops", "one Pruned per strength", "of strengths [0.3, 0.6] it yields [0.3]"),
        ("in place", "stays as it is", "the network it was given has other weights"),
        ("grows", "ever grows", "units to"),
        ("phase", "names its phase", "'later'"),
    ],
)
def test_a_fault_of_a_pruner_is_seen(plugin, fault, check, missing):
    assert missing in only(failures("pruner", plugin(PRUNERS, "faulty", pruner_with(fault))), check)


def test_a_pruner_without_fault_passes(plugin):
    found = failures("pruner", plugin(PRUNERS, "faulty", pruner_with("none")))
    assert all("finds its code" in says for says in found)


# A data set that is digits, but for one fault:


def digits_with(**changed):
    def make(root=None, *, name="faulty"):
        data = load_data("digits", **DATASET_OPTIONS["digits"])
        return replace(data, name=name, **{key: of(data) for key, of in changed.items()})

    return make


@pytest.mark.parametrize(
    ("changed", "check", "missing"),
    [
        ({"test": lambda d: d.train}, "no image is in two parts", "64 images of train"),
        ({"name": lambda d: "digits"}, "registered under", "'digits'"),
        ({"mean": lambda d: [5.0]}, "mean near 0", "mean -"),
        ({"tasks": lambda d: {"A": [0]}}, "two tasks", "['A']"),
        ({"options": lambda d: {"a": {1}}}, "stored and read back", "TypeError"),
    ],
)
def test_a_fault_of_a_dataset_is_seen(plugin, changed, check, missing):
    if "name" in changed:

        def make(root=None):
            return load_data("digits", **DATASET_OPTIONS["digits"])
    else:
        make = digits_with(**changed)
    found = failures("dataset", plugin(DATASETS, "faulty", make))
    if "options" in changed:
        found = {says: why for says, why in found.items() if check in says}
    assert missing in only(found, check)


def test_a_dataset_that_draws_is_seen(plugin):
    def make(root=None):
        data = load_data("digits", **DATASET_OPTIONS["digits"])
        order = torch.randperm(len(data.train))
        shuffled = replace(data.train, labels=data.train.labels[order])
        return replace(data, name="faulty", train=shuffled)

    found = failures("dataset", plugin(DATASETS, "faulty", make))
    assert "different data" in only(found, "same bytes")


def test_an_architecture_that_forgets_its_options_is_seen(plugin):
    def make(input_shape, hidden=4):
        made = architecture("lenet5", input_shape, widths=[2, 3, 6, hidden])
        return Architecture("faulty", input_shape, made.nodes, {})

    name = plugin(ARCHITECTURES, "faulty", make)
    found = failures("architecture", name, {"hidden": 7}, input_shape=(1, 8, 8))
    assert any("make it again" in says for says in found)
    assert "finds its code" in next(iter(failures("architecture", name, input_shape=(1, 8, 8))))


def test_an_architecture_without_gates_is_seen(plugin):
    def make(input_shape):
        made = architecture("lenet5", input_shape)
        nodes = [
            replace(node, sources=tuple(s.replace("c1_gate", "c1_relu") for s in node.sources))
            for node in made.nodes
            if node.name != "c1_gate"
        ]
        return Architecture("faulty", input_shape, tuple(nodes), {})

    name = plugin(ARCHITECTURES, "faulty", make)
    found = failures("architecture", name, input_shape=(1, 8, 8))
    gates = next(why for says, why in found.items() if "sees every hidden layer" in says)
    assert gates == "layer 'c1' has no gate"


# The command


def test_the_command_prints_a_checklist(capsys):
    assert main(["conform", "--merger", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "merger 'none'"
    assert all(line.startswith("  passed  ") for line in lines[1:-1])
    assert lines[-1] == f"{len(lines) - 2} of {len(lines) - 2} checks passed"


def test_the_command_says_what_is_missing_and_how_to_mend_it(plugin, capsys):
    plugin(MERGERS, "faulty", merger_with(draws))
    assert main(["conform", "--merger", "faulty"]) == 2
    shown = capsys.readouterr().out
    assert "  FAILED  the same seed gives the same bytes" in shown
    assert "what is missing: two calls with the same seed" in shown
    assert "how to mend it:  draw from torch.Generator()" in shown
    assert "8 of 10 checks passed" in shown


def test_the_command_stops_when_nothing_works(plugin, capsys):
    plugin(MERGERS, "faulty", lambda networks, data, *, seed: 1 / 0)
    assert main(["conform", "--merger", "faulty"]) == 2
    shown = capsys.readouterr().out
    assert "ZeroDivisionError: division by zero (test_conform.py, line " in shown
    assert shown.endswith("the other checks need this one\n")


def test_an_unknown_plugin_is_refused_in_one_sentence(capsys):
    assert main(["conform", "--pruner", "tailor"]) == 2
    assert "unknown pruning method 'tailor'; did you mean 'taylor'?" in capsys.readouterr().err


def test_options_are_read_as_in_a_configuration():
    words = ["a=1", "b=0.5", "c=word", "d={stages: []}", "e=[1, 2]", "f=x=y"]
    assert parse_options(words) == {
        **{"a": 1, "b": 0.5, "c": "word"},
        **{"d": {"stages": []}, "e": [1, 2], "f": "x=y"},
    }
    with pytest.raises(ConfigError, match="takes key=value, not 'word'"):
        parse_options(["word"])
    with pytest.raises(ConfigError, match="value of 'a' is not YAML"):
        parse_options(["a={"])
