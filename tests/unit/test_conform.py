"""``pam conform``: built-in plug-ins pass, and a broken one is told what is missing."""

import copy
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from itertools import islice

import pytest
import torch

from pam.cli.main import main
from pam.conformance import KINDS
from pam.conformance.subject import parse_options
from pam.data import DATASETS
from pam.data import load as load_data
from pam.errors import ConfigError
from pam.merging import MERGERS, merge
from pam.networks import ARCHITECTURES, Architecture, architecture
from pam.pruning import PRUNERS, Pruned, connected, curve_rows, remove, unit_keys
from pam.source.modules import ROOT
from pam.training import Epoch

EPOCH = {"stages": [{"epochs": 1, "learning_rate": 0.01}], "batch_size": 128}
DIGITS = {"tile": 8, "train_strips": 64, "validation_strips": 16, "test_strips": 16}
# Number of tests, and the plug-ins with options that make them quick; what they are stays the same.
PLUGINS = {
    "merger": (12, {
        "none": {},
        "zipit": {"samples": 48},
        "joint": {"train": EPOCH},
        **{name: {"retrain": EPOCH} for name in ("all_shared", "mtz")},
        **{
            name: {"samples": 48, "retrain": {"stages": []}}
            for name in ("branch", "match", "pam", "pam_partial", "pam_zip", "random")
        },
    }),
    "pruner": (18, {
        **{
            name: {"interval": 1, "event_fraction": 0.2} for name in ("taylor", "taylor_readers")
        },
        **{name: {"penalty": EPOCH} for name in ("vibnet", "vibnet_readers")},
        **{name: {} for name in ("l1", "random")},
        "scratch": {"train": EPOCH, "penalty": EPOCH},
    }),
    "architecture": (14, {
        "lenet5": {"widths": [3, 4, 6, 5]},
        "vgg16": {"width": 0.05, "hidden": 4},
        **{name: {"width": 0.02, "stem": "small"} for name in ("resnet18", "resnet34")},
    }),
    "dataset": (11, {
        "digits": DIGITS,
        "cartoon_faces": {"train_images": 200, "validation_images": 40, "test_images": 40},
    }),
}  # fmt: skip
# Examined in every run; the others are built like one of them.
FIRST = {"none", "joint", "pam", "taylor", "vibnet", "lenet5", "resnet18", "digits"}
# Their raw files are not in the repository.
NEED_FILES = {"cifar10_attributes", "fashion_mnist", "celeba", "lfw", "image_attributes"}
FAILURE = re.compile(r"^(?:FAILED|ERROR) \S+::(\w+)(?:\[.*?\])? - (.*)$", re.MULTILINE)


@pytest.fixture
def plugin(monkeypatch):
    """Enter a plug-in for the time of a test."""

    def enter(registry, name, entry):
        monkeypatch.setitem(registry._entries, name, entry)
        return name

    return enter


def option_words(options: dict) -> list[str]:
    given = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    return ["--options", *given] if given else []


@pytest.fixture
def failures(capsys):
    """Examine a plug-in: test that failed -> what is missing, the test of its code left out."""

    def examine(kind, name, options=None, *words) -> dict[str, str]:
        code = main(["conform", f"--{kind}", name, *option_words(options or {}), *map(str, words)])
        shown = capsys.readouterr().out
        failed = dict(FAILURE.findall(shown))
        assert code == (2 if failed else 0), shown
        failed.pop("test_the_workflow_finds_its_code", None)
        return failed

    return examine


def only(failed: dict[str, str], test: str) -> str:
    """What is missing in the one test that failed."""
    ((name, missing),) = failed.items()
    assert test in name
    return missing


def test_every_built_in_plugin_is_examined_here():
    registries = dict(zip(KINDS, (MERGERS, PRUNERS, DATASETS, ARCHITECTURES), strict=True))
    for kind, (_, plugins) in PLUGINS.items():
        assert set(plugins) == set(registries[kind]) - NEED_FILES


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, marks=[pytest.mark.more] * (name not in FIRST))
        for kind, (_, plugins) in PLUGINS.items()
        for name in plugins
    ],
)
def test_built_in_plugins_conform(kind, name, capsys):
    tests, plugins = PLUGINS[kind]
    assert main(["conform", f"--{kind}", name, *option_words(plugins[name])]) == 0
    assert f" {tests} passed in " in capsys.readouterr().out


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
    ("fault", "test", "missing"),
    [
        (draws, "the_same_seed", "different networks"),
        (changes_input, "stay_as_they_are", "task A has other weights"),
        (notes_a_tensor, "written_to_the_record", "TypeError: Object of type Tensor"),
        # Then it stops at once.
        (looks_at_test, "two_networks_become_one", "the test part of the data is looked at"),
        (counts_to_two, "all_tasks_and_their_outputs", "too many values to unpack"),
    ],
)
def test_a_fault_of_a_merger_is_seen(plugin, failures, fault, test, missing):
    found = failures("merger", plugin(MERGERS, "faulty", merger_with(fault)))
    assert any(test in name and missing in said for name, said in found.items())
    # What counts on two tasks fails wherever there are three.
    assert len(found) == 1 or fault is counts_to_two


def test_a_merger_that_takes_anything_is_told(plugin, failures):
    def merger(networks, data, *, seed, **options):
        return merge(networks, "none", data)

    found = failures("merger", plugin(MERGERS, "faulty", merger))
    assert "no_such_option" in only(found, "unknown_options")


def test_code_that_the_workflow_cannot_find_is_told(plugin, capsys):
    plugin(MERGERS, "faulty", merger_with(lambda *_: None))
    assert main(["conform", "--merger", "faulty"]) == 2
    ((test, missing),) = FAILURE.findall(capsys.readouterr().out)
    assert test == "test_the_workflow_finds_its_code"
    assert "no module of pam.merging registers 'faulty'" in missing


# A pruner that removes the last unit of every group, but for one fault:


def pruner_with(fault):
    def pruner(network, data, strengths, *, seed):
        current = network if fault == "in place" else copy.deepcopy(network)
        if fault == "asks ahead":
            strengths = list(strengths)
        for strength in islice(strengths, 1 if fault == "stops" else None):
            keep = {key: torch.arange(n) < max(1, n - 1) for key, n in unit_keys(current)}
            scores = {key: mask.double() for key, mask in keep.items()}
            smaller = remove(current, connected(current, keep, scores))
            if fault == "in place":
                with torch.no_grad():
                    next(network.parameters()).add_(1)
            current = copy.deepcopy(network) if fault == "grows" and strength > 0.5 else smaller
            phase = "later" if fault == "phase" else "prune"
            rows = curve_rows([Epoch(0, 0, 0.1, 1.0, {})], phase)
            yield Pruned(strength, current, rows)

    return pruner


@pytest.mark.parametrize(
    ("fault", "test", "missing"),
    [
        ("stops", "every_strength", "of strengths [0.3, 0.6] it yields [0.3]"),
        ("asks ahead", "asks_for_a_strength", "before the network of 0.3 it asks for 0.6"),
        ("in place", "it_is_given", "the network it was given has other weights"),
        ("grows", "ever_runs_more", "units of"),
        ("phase", "names_its_phase", "'later'"),
    ],
)
def test_a_fault_of_a_pruner_is_seen(plugin, failures, fault, test, missing):
    found = failures("pruner", plugin(PRUNERS, "faulty", pruner_with(fault)))
    assert missing in only(found, test)


def test_a_pruner_without_fault_passes(plugin, failures):
    assert failures("pruner", plugin(PRUNERS, "faulty", pruner_with("none"))) == {}


# A data set that is digits, but for one fault:


def digits_with(**changed):
    def make(root=None):
        data = load_data("digits", **DIGITS)
        return replace(data, **{"name": "faulty"} | {key: of(data) for key, of in changed.items()})

    return make


@pytest.mark.parametrize(
    ("changed", "test", "missing"),
    [
        ({"test": lambda d: d.train}, "no_image_is_in_two_parts", "64 images of train"),
        ({"name": lambda d: "digits"}, "registered_name", "'digits'"),
        ({"mean": lambda d: [5.0]}, "mean_0", "mean -"),
        ({"tasks": lambda d: {"A": [0]}}, "two_tasks", "['A']"),
    ],
)
def test_a_fault_of_a_dataset_is_seen(plugin, failures, changed, test, missing):
    make = digits_with(**changed)
    assert missing in only(failures("dataset", plugin(DATASETS, "faulty", make)), test)


def test_options_of_a_dataset_that_are_no_json_are_seen(plugin, failures):
    make = digits_with(options=lambda d: {"a": {1}})
    found = failures("dataset", plugin(DATASETS, "faulty", make))
    assert "TypeError" in found["test_it_is_stored_and_read_back_as_it_was"]


def test_a_dataset_that_draws_is_seen(plugin, failures):
    def make(root=None):
        data = load_data("digits", **DIGITS)
        order = torch.randperm(len(data.train))
        shuffled = replace(data.train, labels=data.train.labels[order])
        return replace(data, name="faulty", train=shuffled)

    found = failures("dataset", plugin(DATASETS, "faulty", make))
    assert "different data" in only(found, "same_bytes")


def test_an_architecture_that_forgets_its_options_is_seen(plugin, failures):
    def make(input_shape, hidden=4):
        made = architecture("lenet5", input_shape, widths=[2, 3, 6, hidden])
        return Architecture("faulty", input_shape, made.nodes, {})

    name, small = plugin(ARCHITECTURES, "faulty", make), ("--input-shape", 1, 8, 8)
    assert "test_its_options_make_it_again" in failures("architecture", name, {"hidden": 7}, *small)
    assert failures("architecture", name, None, *small) == {}


def test_an_architecture_without_gates_is_seen(plugin, failures):
    def make(input_shape):
        made = architecture("lenet5", input_shape)
        nodes = [
            replace(node, sources=tuple(s.replace("c1_gate", "c1_relu") for s in node.sources))
            for node in made.nodes
            if node.name != "c1_gate"
        ]
        return Architecture("faulty", input_shape, tuple(nodes), {})

    name = plugin(ARCHITECTURES, "faulty", make)
    found = failures("architecture", name, None, "--input-shape", 1, 8, 8)
    missing = found["test_every_hidden_layer_has_a_gate"]
    assert missing == "AssertionError: layer 'c1' has no gate"


# The command, and the suite as the tests of another repository


def test_the_command_stops_when_nothing_works(plugin, capsys):
    plugin(MERGERS, "faulty", lambda networks, data, *, seed: 1 / 0)
    assert main(["conform", "--merger", "faulty"]) == 2
    shown = capsys.readouterr().out
    assert re.search(r"test_conform\.py:\d+: ZeroDivisionError: division by zero", shown)
    assert "the other tests need this one" in shown
    assert "1 failed in " in shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pruner", "tailor"], "unknown pruning method 'tailor'; did you mean 'taylor'?"),
        (
            ["--merger", "pam", "--options", "alfa=1"],
            "unknown option of merging.pam 'alfa'; did you mean 'alpha'?",
        ),
    ],
)
def test_a_misspelt_name_is_refused_in_one_sentence(words, sentence, capsys):
    assert main(["conform", *words]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"pam: error: {sentence}\n")


def test_without_pytest_the_command_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pytest", None)
    assert main(["conform", "--merger", "none"]) == 2
    assert capsys.readouterr().err.startswith("pam: error: pam conform needs pytest")


@pytest.fixture
def other_repository(tmp_path):
    """A folder of another project, beside an installed pam with the entry point for pytest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ((name, module),) = project["entry-points"]["pytest11"].items()
    info = tmp_path / "site" / "pam_bench_again-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: pam-bench-again\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")
    (tmp_path / "test_mine.py").write_text("def test_mine(): ...\n")
    path = os.pathsep.join([str(info.parent), str(ROOT)])

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.more
def test_pytest_runs_the_suite_in_another_repository(other_repository):
    code, shown = other_repository("--pyargs", "pam.conformance", "--merger", "none")
    assert code == 0 and re.search(r"12 passed", shown), shown
    code, shown = other_repository("--pyargs", "pam.conformance", "--merger", "nome")
    assert code == 4 and "did you mean 'none'?" in shown
    code, shown = other_repository()
    assert code == 0 and "1 passed" in shown, "other tests do not notice"
    code, shown = other_repository("--merger", "none")
    assert code == 4 and "unrecognized arguments: --merger" in shown


def test_options_are_read_as_in_a_configuration():
    words = ["a=1", "b=0.5", "c=word", "d={stages: []}", "e=[1, 2]", "f=x=y"]
    assert parse_options(words) == {
        **{"a": 1, "b": 0.5, "c": "word"},
        **{"d": {"stages": []}, "e": [1, 2], "f": "x=y"},
    }
    with pytest.raises(ConfigError, match="takes key=value, not 'word'"):
        parse_options(["word"])
    with pytest.raises(ConfigError, match="value of 'a', line 1: "):
        parse_options(["a={"])
