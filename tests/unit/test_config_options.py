"""Options of plug-ins: checked before anything runs, the same everywhere, and explained."""

import ast
import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import TypeAdapter

from pam import ConfigError
from pam.config import Config, check_plugins, explain, json_schema, parse_config
from pam.config.explaining import keys, option_keys
from pam.data import DATASETS, load
from pam.merging import MERGERS, merge
from pam.networks import ARCHITECTURES, build
from pam.pruning import PRUNERS, prune
from pam.registry import MERGER, Registry
from pam.source.modules import ROOT, Module, Registration
from pam.source.options import check_value
from pam.source.signatures import (
    Signature,
    describe,
    registered,
    signature,
    signature_in_source,
    signature_of,
)
from tests.small import make_data, make_networks, side_by_side

CONFIG = """\
seeds: [0]
experiments:
  tiny:
    dataset: digits
    data: {tile: 8, train_strips: 64}
    tasks: [A, B]
    architecture: lenet5
    network: {widths: [2, 3, 5, 4]}
    train: {batch_size: 16, stages: [{epochs: 1, learning_rate: 0.01}]}
    merging: {none: {}, pam: {samples: 16}}
    pruning: {taylor: {strengths: [0.2, 0.5]}}
    relatedness: {pam: {alpha: 0.5}}
"""
REGISTRIES = (DATASETS, ARCHITECTURES, MERGERS, PRUNERS)
PLUGINS = [(registry, name) for registry in REGISTRIES for name in registry]


def test_what_is_right_passes():
    check_plugins(parse_config(CONFIG, "c"))


STRENGTHS, PRUNER = "strengths: [0.2, 0.5]", "taylor: {strengths: [0.2, 0.5]}"
# What an editor underlines as it knows the schema: old text, new text, what is said of it.
OF_THE_SCHEMA = [
    ("digits", "didgits", "registers 'didgits'"),
    ("lenet5", "lenet6", "registers 'lenet6'"),
    ("none: {}", "nine: {}", "registers 'nine'"),
    ("dataset: digits", 'dataset: ""', "registers ''"),
    ("none: {}", 'none: {method: ""}', "registers ''"),
    ("taylor:", "tailor:", "registers 'tailor'"),
    ("tile: 8", "tiel: 8", "option of experiments.tiny.data 'tiel'; did you mean 'tile'?"),
    ("tile: 8", "tile: 8.5", "experiments.tiny.data.tile: must be a whole"),
    ("tile: 8", "tile: 7", "tile: must be greater than or equal to 8"),
    ("architecture:", "architekture:", "unknown key 'architekture'; did you mean 'architecture'?"),
    ("widths:", "width:", "did you mean 'widths'?"),
    ("[2, 3, 5, 4]", "[2, 3, 5]", "network.widths: has too few values"),
    ("[2, 3, 5, 4]", "[2, 3, 5, 4, 6]", "network.widths: has too many values"),
    ("[2, 3, 5, 4]", "[2, 0, 5, 4]", "widths[1]: must be greater than or equal to 1"),
    ("samples: 16", "sample: 16", "did you mean 'samples'?"),
    ("samples: 16", "samples: many", "merging.pam.samples: must be a whole"),
    ("samples: 16", "removed: all", "merging.pam.removed: must be 'drop', 'drop_constant'"),
    ("none: {}", "none: {retrain: null}", "option of experiments.tiny.merging"),
    ("none: {}", "random: {alfa: 0.7}", "'alfa'; did you mean 'alpha'"),
    ("none: {}", "x: {metod: none}", "registers 'x'"),
    ("none: {}", "none: {metod: none}", "did you mean 'method'?"),
    ("alpha: 0.5", "alfa: 0.5", "relatedness.pam 'alfa'; did you mean 'alpha'?"),
    ("0.5]", "0.5], momentun: 1", "did you mean 'momentum'?"),
    ("0.5]", "0.5], momentum: 1", "taylor.momentum: must be less than 1"),
    ("0.5]", "0.5], seed: 1", "unknown option of experiments.tiny.pruning"),
    ("[0.2, 0.5]", "[0.2, 1]", "taylor.strengths[1]: must be less than 1, not 1"),
    (
        *("samples: 16", "retrain: {stages: [{epochs: -1, learning_rate: 1}]}"),
        "merging.pam.retrain.stages[0].epochs: must be greater than or equal to 0",
    ),
    (
        *("samples: 16", "retrain: {stages: [], bach_size: 3}"),
        "merging.pam.retrain.bach_size: unknown key; did you mean 'batch_size'?",
    ),
    (
        *("dataset: digits\n    data: {tile: 8, train_strips: 64}", "dataset: image_attributes"),
        "experiments.tiny.data: 'image_attributes' needs the option 'folder'",
    ),
]
# What only the whole file, or the data set that it names, can tell.
BEYOND_A_SCHEMA = [
    (STRENGTHS, "path: {start: 1, step: 0.9}", "taylor.path.start: must be less than 1, not 1"),
    (STRENGTHS, "path: {start: 0.1, step: 1.1}", "taylor.path.step: must be less than 1, not 1.1"),
    (
        *("samples: 16", "alpha: 7"),
        "merging.pam.alpha: must be in [0, 1] unless alpha_unit is 'nats', not 7",
    ),
    ("samples: 16", "alpha: {fc: 1.5}", "merging.pam.alpha.fc: must be in"),
    ("none: {}", "random: {alpha: 7}", "merging.random.alpha: must be"),
    (
        *("samples: 16", "samples: 65"),
        "merging.pam.samples: must be at most 64, the images of the training part, not 65",
    ),
    ("batch_size: 16", "batch_size: 65", "train.batch_size: must be at most 64"),
    (
        *("samples: 16", "retrain: {batch_size: 65, stages: []}"),
        "merging.pam.retrain.batch_size: must be at most 64",
    ),
    ("0.5]", "0.5], batch_size: 65", "taylor.batch_size: must be at most 64"),
    (
        *("tasks: [A, B]", "tasks: [A]"),
        "experiments.tiny.tasks: the experiment names the tasks A, but the data set has A, B",
    ),
    (
        *("tile: 8, train_strips: 64}\n    tasks: [A, B]", "tasks: {A: [1, 2]}}\n    tasks: [A]"),
        "experiments.tiny.merging.pam: 'pam' merges at least 2 tasks, not 1",
    ),
    ("[A, B]", "[A, C]", "names the tasks A, C, but the data set has A"),
    (
        *("tile: 8, train_strips: 64}", "tasks: {T0: [1, 2], T1: [3]}}"),
        "names the tasks A, B, but the data set has T0, T1",
    ),
    (
        *("    merging:", "    conditions: {layers: [f4, f6]}\n    merging:"),
        "experiments.tiny.conditions.layers[1]: unknown layer; known: c1, c2, f3, f4",
    ),
    ("samples: 16", "layers: [g3]", "pam.layers[0]: unknown layer; known: c1"),
    (
        *(PRUNER, "vibnet: {strengths: [1], multipliers: {c1: 1, c2: 1, f3: 1, f9: 1}}"),
        "pruning.vibnet.multipliers.f9: unknown layer",
    ),
    (
        *(PRUNER, "vibnet: {strengths: [1], multipliers: {c1: 1, c2: 1, f3: 1}}"),
        "pruning.vibnet.multipliers: must name every hidden layer; 'f4' is missing",
    ),
]


def test_an_editor_underlines_what_is_wrong():
    is_valid = jsonschema.Draft202012Validator(json_schema()).is_valid
    assert is_valid(yaml.safe_load(CONFIG))
    for wrong, passes in ((OF_THE_SCHEMA, False), (BEYOND_A_SCHEMA, True)):
        for old, new, _ in wrong:
            assert is_valid(yaml.safe_load(CONFIG.replace(old, new, 1))) == passes, new


def test_an_editor_shows_type_range_and_meaning_of_an_option():
    option = json_schema()["$defs"]["merging.pam"]["properties"]["samples"]
    assert (option["type"], option["minimum"]) == ("integer", 2)
    assert option["description"] == explain("pam.samples").partition(": ")[2]


@pytest.mark.parametrize(("old", "new", "says"), OF_THE_SCHEMA + BEYOND_A_SCHEMA)
def test_what_is_wrong_is_said_before_anything_runs(old, new, says):
    assert old in CONFIG
    with pytest.raises(ConfigError) as caught:
        check_plugins(parse_config(CONFIG.replace(old, new, 1), "c"))
    assert says in str(caught.value)


def test_other_units_have_other_ranges():
    check_plugins(parse_config(CONFIG.replace("samples: 16", "alpha: 7, alpha_unit: nats"), "c"))


CALLS = {
    "data": lambda **options: load("digits", **options),
    "network": lambda **options: build("lenet5", (1, 8, 32), 2, **options),
    "merging": lambda **options: merge(make_networks(), "pam", make_data(), **options),
    "pruning": lambda **options: prune(
        side_by_side(make_networks()), "taylor", make_data(), **{"strength": 0.5, **options}
    ),
}
REFUSED = [
    ("data", {"tile": 7}),
    ("data", {"tiel": 8}),
    ("network", {"widths": [2, 0, 5, 4]}),
    ("merging", {"alpha": 7}),
    ("merging", {"retrain": {"stages": [{"epochs": 1, "learning_rate": 0}]}}),
    ("merging", {"samples": 65}),
    ("pruning", {"interval": 0}),
]
ROWS = {"data": "data", "network": "network", "merging": "merging.pam", "pruning": "pruning.taylor"}
NAMES = {"data": "data.digits", "network": "network.lenet5"}


@pytest.mark.parametrize(("section", "options"), REFUSED)
def test_python_says_what_the_configuration_says(section, options):
    with pytest.raises(ConfigError) as called:
        CALLS[section](**options)
    config = parse_config(CONFIG, "c").model_dump()
    experiment = config["experiments"]["tiny"]
    place = experiment
    for key in ROWS[section].split("."):
        place = place[key]
    place.update(options)
    with pytest.raises(ConfigError) as checked:
        check_plugins(parse_config(json.dumps(config), "c"))
    key = NAMES.get(section, ROWS[section])
    said = str(checked.value).replace(f"experiments.tiny.{ROWS[section]}", key)
    assert str(called.value).partition("; known")[0] == said.partition("; known")[0]


def test_a_default_that_nobody_gave_is_capped():
    assert signature(MERGER, "pam").options["samples"].default_value > 40
    assert merge(make_networks(), "pam", make_data(40)).notes


def test_what_cannot_stand_in_a_configuration_is_refused():
    with pytest.raises(ConfigError, match=r"merging\.pam\.layers: must be a plain value, not \{"):
        merge(make_networks(), "pam", make_data(), layers={"f3"})


@pytest.mark.parametrize(("registry", "name"), PLUGINS, ids=lambda one: getattr(one, "kind", one))
def test_source_and_function_say_the_same(registry: Registry[Any], name):
    assert describe(registry.kind, name) == registry.describe(name)
    assert name in registered(registry.kind)
    source, function = signature(registry.kind, name), signature_of(registry, name)
    assert source.is_open == function.is_open
    assert list(source.options) == list(function.options)
    for option, other in function.options.items():
        known = source.options[option]
        assert known.default_value == other.default_value
        if option not in registry.kind.given:
            assert known.adapter and other.adapter
            assert known.adapter.json_schema() == other.adapter.json_schema()


BEYOND = {
    **{"minimum": lambda bound: bound - 1, "exclusiveMinimum": lambda bound: bound},
    **{"maximum": lambda bound: bound + 1, "exclusiveMaximum": lambda bound: bound},
}


@pytest.mark.parametrize(("registry", "name"), PLUGINS, ids=lambda one: getattr(one, "kind", one))
def test_every_bound_of_an_option_is_kept(registry: Registry[Any], name):
    options = signature(registry.kind, name).options.values()
    for option in (one for one in options if one.name not in registry.kind.given):
        schema = option.adapter.json_schema()
        for part in (schema, *schema.get("anyOf", ())):
            for bound in BEYOND.keys() & part.keys():
                with pytest.raises(ConfigError, match=rf"^{option.name}: must "):
                    check_value(option.name, option.adapter, BEYOND[bound](part[bound]))


def test_nothing_is_imported():
    program = (
        "import sys\nfrom pam.config import check_plugins, load_config, explain\n"
        "check_plugins(load_config(sys.argv[1]))\nexplain('')\n"
        "assert not {'torch', 'pam.merging', 'pam.data'} & set(sys.modules)\n"
    )
    path = str(ROOT / "workflow" / "config" / "paper.yaml")
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == 0


def read(source: str, module: Module | None = None) -> Signature:
    return signature_in_source(ast.parse(source).body[-1], module)


def schema(hint: Any) -> dict[str, Any]:
    return TypeAdapter(hint).json_schema()


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
    assert options["a"].adapter.json_schema() == schema(int)
    assert options["b"].adapter.json_schema() == schema(float | dict[str, float])
    assert options["c"].adapter.json_schema() == schema(tuple[int, int] | None)
    assert [options[name].adapter for name in ("networks", "data", "d", "e")] == [None] * 4
    assert options["b"].meaning == "first line, second line: with a colon."
    assert options["a"].meaning == ""


def test_ranges_may_be_written_out_or_named(tmp_path):
    (tmp_path / "one.py").write_text("LOW = 3\nHere = Annotated[int, Field(ge=LOW)]\n")
    module = Module(tmp_path / "one.py", tmp_path, "")
    options, _ = read(
        "def f(a: Here, b: Annotated[float, Field(gt=0, lt=2)], c: Share, "
        "d: Literal['x', 'y'], e: There): pass",
        module,
    )
    assert options["a"].adapter.json_schema() == {"minimum": 3, "type": "integer"}
    assert options["b"].adapter.json_schema()["exclusiveMaximum"] == 2
    assert options["c"].adapter.json_schema()["maximum"] == 1
    assert options["d"].adapter.json_schema()["enum"] == ["x", "y"]
    assert options["e"].adapter is None


def test_other_things_than_functions_take_anything(monkeypatch):
    node = ast.parse("register('thing')").body[0].value
    module = type("Module", (), {"registrations": {("pam.merging", "x"): Registration(node, None)}})
    modules = type("Modules", (), {"by_name": {"m": module}})
    monkeypatch.setattr("pam.source.signatures.plugin_modules", lambda *_: {"m"})
    monkeypatch.setattr("pam.source.signatures.source_modules", lambda: modules)
    assert signature.__wrapped__(MERGER, "x") == Signature({}, is_open=True)


@pytest.mark.parametrize("text", option_keys().values(), ids=option_keys())
def test_every_option_is_described(text):
    values, _, rest = text.partition(". ")
    meaning, _, default = rest.rpartition(" Default: ")
    assert "any value" not in values.lower()
    assert len(meaning or rest) > 10
    assert default or text.endswith("Required.")


def test_every_key_has_a_description_and_every_number_a_unit():
    assert {"seeds", "experiments.train.stages.epochs", "experiments.latency.rounds"} <= set(keys())
    assert not [name for name, text in keys().items() if len(text) <= 20 or "None" in text]
    schema = Config.model_json_schema()
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
        ("digits.tile", "tile: Whole number >= 8. Height and width of an item in a strip, in pi"),
        ("taylor.momentum", "momentum: Number in [0, 1). Of the importance from one pruning event"),
        ("random.alpha", "alpha: Number >= 0 (in [0, 1] unless alpha_unit is 'nats'), or mapping"),
        ("lenet5.widths", "widths: List of 4, each whole number >= 1. Units"),
        ("lenet5.widths", "Units of c1, c2, f3 and f4. Default: [6, 16, 120, 84]."),
        ("experiments.train.stages.epochs", "epochs: Whole number >= 1. Passes"),
        ("rounds", "Unit: rounds. Default: 10."),
        ("experiments.merging.pam.alpha", "Default: 0.4."),
        ("merging.pam.alpha", "Default: 0.4."),
        ("pam.alpha", "Default: 0.4."),
        ("experiments.tiny.train.batch_size", "Unit: images. Default: 32."),
        ("folder", "Folder of the splits. Required."),
        ("taylor.strengths", "Fractions in (0, 1), increasing. Required."),
    ],
)
def test_explain_knows_options(key, says):
    text = explain(key)
    assert says in text
    assert "\n" not in text


def test_a_name_of_many_methods_is_explained_for_each():
    assert len(explain("retrain").splitlines()) >= 5


def test_explain_alone_lists_everything():
    lines = explain("").splitlines()
    assert [line.partition(": ")[0] for line in lines] == [*keys(), *option_keys()]


@pytest.mark.parametrize(
    ("key", "near"),
    [("alhpa", "alpha"), ("round", "rounds"), ("experiments.trian", "experiments.train")],
)
def test_an_unknown_key_names_the_nearest(key, near):
    with pytest.raises(ConfigError, match=f"unknown key '{key}'; did you mean '{near}'"):
        explain(key)
