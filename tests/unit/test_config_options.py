"""Options of plug-ins in a configuration: checked before anything runs, and explained."""

import ast
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pam import ConfigError
from pam.config import check_plugins, explain, json_schema, parse_config
from pam.config.options import option_keys
from pam.config.schema import keys
from pam.source.modules import ROOT
from pam.source.signatures import Signature, _signature_of, signature

CONFIG = """\
seeds: [0]
experiments:
  tiny:
    dataset: digits
    data: {tile: 8}
    architecture: lenet5
    network: {widths: [2, 3, 5, 4]}
    train: {stages: [{epochs: 1, learning_rate: 0.01}]}
    merging: {none: {}, pam: {samples: 16}}
    pruning: {taylor: {strengths: [0.2]}}
    relatedness: {pam: {alpha: 0.5}}
"""


def test_what_is_right_passes():
    check_plugins(parse_config(CONFIG, "c"))


WRONG = {
    "data set": ("digits", "didgits", "registers 'didgits'"),
    "architecture": ("lenet5", "lenet6", "registers 'lenet6'"),
    "merger": ("none: {}", "nine: {}", "registers 'nine'"),
    "pruner": ("taylor:", "tailor:", "registers 'tailor'"),
    "option of the data set": ("tile: 8", "tiel: 8", "option of experiments.tiny.data 'tiel'; did"),
    "type of the data set": ("tile: 8", "tile: 8.5", "experiments.tiny.data.tile: must be a valid"),
    "option of the network": ("widths:", "width:", "did you mean 'widths'?"),
    "too few values": ("[2, 3, 5, 4]", "[2, 3, 5]", "network.widths: has too few values"),
    "option of a merger": ("samples: 16", "sample: 16", "did you mean 'samples'?"),
    "type of a merger": ("samples: 16", "samples: many", "merging.pam.samples: must be"),
    "option of none": ("none: {}", "none: {retrain: null}", "option of experiments.tiny.merging"),
    "option of a relative": ("alpha: 0.5", "alfa: 0.5", "relatedness.pam 'alfa'; did you mean 'al"),
    "option of a pruner": ("[0.2]", "[0.2], momentun: 1", "did you mean 'momentum'?"),
    "method": ("none: {}", "x: {metod: none}", "registers 'x'"),
    "method of a row": ("none: {}", "none: {metod: none}", "did you mean 'method'?"),
    "what is given": ("[0.2]", "[0.2], seed: 1", "unknown option of experiments.tiny.pruning"),
    "no folder": (
        "dataset: digits\n    data: {tile: 8}",
        "dataset: image_attributes",
        "experiments.tiny.data: 'image_attributes' needs the option 'folder'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_before_anything_runs(name):
    old, new, says = WRONG[name]
    assert old in CONFIG
    with pytest.raises(ConfigError) as caught:
        check_plugins(parse_config(CONFIG.replace(old, new, 1), "c"))
    assert says in str(caught.value)


def test_an_open_method_takes_any_option():
    check_plugins(parse_config(CONFIG.replace("none: {}", "random: {anything: 1}"), "c"))
    assert signature("pam.merging", "random").is_open


def test_nothing_is_imported():
    program = (
        "import sys\nfrom pam.config import check_plugins, load_config, explain\n"
        "check_plugins(load_config(sys.argv[1]))\nexplain('')\n"
        "assert not {'torch', 'pam.merging', 'pam.data'} & set(sys.modules)\n"
    )
    path = str(ROOT / "workflow" / "config" / "paper.yaml")
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == 0


def read(source: str) -> Signature:
    return _signature_of(ast.parse(source).body[0])


def test_a_signature_as_the_source_tells_it():
    options, is_open = read('''
def method(networks: Networks, data, *, a: int, b: float | Mapping[str, float] = 1e-3,
           c: tuple[int, int] | None = None, d: Strange[int] = 1, e: int[str] = 2, **rest):
    """Do it.

    Args:
        networks: task -> network.
        b: first line,
            second line: with a colon.
        c: short
    """
''')
    assert is_open
    assert {one.name: one.default for one in options.values()} == {
        **dict.fromkeys(("networks", "data", "a")),
        **{"b": "0.001", "c": "None", "d": "1", "e": "2"},
    }
    assert options["a"].hint is int
    assert options["b"].hint == float | Mapping[str, float]
    assert options["c"].hint == tuple[int, int] | None
    assert [options[name].hint for name in ("networks", "data", "d", "e")] == [None] * 4
    assert options["b"].meaning == "first line, second line: with a colon."
    assert options["a"].meaning == ""


def test_other_things_than_functions_take_anything(monkeypatch):
    assert read("def f(a: Sequence[Any] = ()): pass").options["a"].hint == Sequence[Any]
    node = ast.parse("class Thing: pass").body[0]
    module = type("Module", (), {"registrations": {("pam.merging", "thing"): node}})
    modules = type("Modules", (), {"by_name": {"m": module}})
    monkeypatch.setattr("pam.source.signatures.plugin_modules", lambda *_: {"m"})
    monkeypatch.setattr("pam.source.signatures.source_modules", lambda: modules)
    assert signature("pam.merging", "thing") == Signature({}, is_open=True)


@pytest.mark.parametrize("name", option_keys())
def test_every_option_is_described(name):
    text = option_keys()[name]
    meaning, _, default = text.rpartition(" Default: ")
    assert len(meaning or text) > 10
    assert default or text.endswith("Required.")


def test_every_key_has_a_description_and_every_number_a_unit():
    schema = json_schema()
    sections = {"": schema, **schema["$defs"]}
    for section in sections.values():
        for key, about in section["properties"].items():
            # A section that is described by its own first line says it there only.
            described = {**sections[about.get("$ref", "").rpartition("/")[2]], **about}
            assert len(described["description"]) > 20, key
            kinds = {about.get("type"), about.get("items", {}).get("type")}
            if kinds & {"integer", "number"}:
                assert "Unit:" in about["description"], key


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("experiments.merging.pam.alpha", "Default: 0.4."),
        ("merging.pam.alpha", "Default: 0.4."),
        ("pam.alpha", "Default: 0.4."),
        ("experiments.tiny.train.batch_size", "Unit: images. Default: 32."),
        ("lenet5.widths", "units of c1, c2, f3 and f4. Default: [6, 16, 120, 84]."),
        ("folder", "folder of the splits. Required."),
    ],
)
def test_explain_knows_options(key, says):
    text = explain(key)
    assert text.endswith(says)
    assert "\n" not in text


def test_a_name_of_many_methods_is_explained_for_each():
    assert len(explain("retrain").splitlines()) >= 5


def test_explain_alone_lists_everything():
    lines = explain("").splitlines()
    assert [line.partition(": ")[0] for line in lines] == [*keys(), *option_keys()]


@pytest.mark.parametrize(
    ("key", "near"), [("alhpa", "alpha"), ("experiments.trian", "experiments.train")]
)
def test_an_unknown_key_names_the_nearest(key, near):
    with pytest.raises(ConfigError, match=f"unknown key '{key}'; did you mean '{near}'"):
        explain(key)
