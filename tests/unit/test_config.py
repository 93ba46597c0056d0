"""The configuration: what is accepted, what is refused and how, and what is derived from it."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pam.cli.config import schema_text
from pam.config import Config, dump_config, json_schema, load_config, parse_config
from pam.errors import ConfigError
from tests.examples import examples
from tests.property.test_damaged_files import changes

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted((ROOT / "workflow" / "config").glob("*.yaml"))

GOOD = """\
seeds: [0, 1]
experiments:
  digits_lenet5:
    dataset: digits
    data: {tile: 16}
    architecture: lenet5
    train: {stages: [{epochs: 12, learning_rate: 1e-2}, {epochs: 4, learning_rate: 0.001}]}
    merging:
      none: {}
      mtz: {retrain_epochs: 1}
      pam_layerwise: {method: pam, layerwise: true}
    pruning:
      vibnet: {strengths: [1, 2, 4]}
      taylor_fast: {method: taylor, strengths: [0.3, 0.5], interval: 5}
"""
MERGING, VIBNET = "    merging:", "{strengths: [1, 2, 4]}"


def good() -> Config:
    return parse_config(GOOD, "good.yaml")


def test_values_and_defaults():
    config = good()
    experiment = config.experiments["digits_lenet5"]
    assert config.seeds == [0, 1]
    assert (config.threads, config.device, config.deltas) == (1, "cpu", [1.0, 0.5, 2.0])
    assert experiment.tasks == ["A", "B"]
    assert experiment.train.batch_size == 32
    assert experiment.train.stages[0].learning_rate == 0.01
    assert (experiment.latency.batch_sizes, experiment.latency.rounds) == ([1, 64], 10)


def test_method_defaults_to_the_name_of_the_row_and_the_rest_are_options():
    experiment = good().experiments["digits_lenet5"]
    assert experiment.merging["none"].method == "none"
    assert experiment.merging["none"].options == {}
    assert experiment.merging["mtz"].options == {"retrain_epochs": 1}
    assert experiment.merging["pam_layerwise"].method == "pam"
    assert experiment.merging["pam_layerwise"].options == {"layerwise": True}
    assert experiment.pruning["taylor_fast"].method == "taylor"
    assert experiment.pruning["taylor_fast"].strengths == [0.3, 0.5]
    assert experiment.pruning["taylor_fast"].options == {"interval": 5}


NAMES = st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True)
RATES = st.floats(1e-6, 1e3, allow_nan=False)
STRENGTHS = st.lists(st.integers(1, 10**9), min_size=1, max_size=4, unique=True).map(
    lambda millionths: [number / 1e6 for number in sorted(millionths)]
)
VALUES = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63), st.floats(-1e9, 1e9), st.text("abc:#'\n ")
)
OPTIONS = st.dictionaries(NAMES.filter(lambda n: n not in ("method", "strengths")), VALUES)
STAGES = st.builds(
    lambda epochs, rate: {"epochs": epochs, "learning_rate": rate}, st.integers(1, 99), RATES
)
EXPERIMENTS = st.fixed_dictionaries(
    {
        "dataset": NAMES,
        "architecture": NAMES,
        "train": st.fixed_dictionaries({"stages": st.lists(STAGES, min_size=1, max_size=3)}),
        "merging": st.dictionaries(NAMES, OPTIONS, min_size=1, max_size=3),
        "pruning": st.dictionaries(
            NAMES,
            st.builds(lambda options, s: {**options, "strengths": s}, OPTIONS, STRENGTHS),
            min_size=1,
            max_size=3,
        ),
    },
    optional={"data": OPTIONS, "network": OPTIONS},
)
CONFIGS = st.fixed_dictionaries(
    {
        "seeds": st.lists(st.integers(0, 2**40), min_size=1, max_size=3, unique=True),
        "experiments": st.dictionaries(NAMES, EXPERIMENTS, min_size=1, max_size=2),
    },
    optional={"threads": st.integers(1, 8), "device": st.sampled_from(["cpu", "cuda", "auto"])},
)


@examples(30)
@given(CONFIGS)
def test_round_trip_through_yaml(value):
    config = parse_config(json.dumps(value), "first")
    again = parse_config(dump_config(config), "again")
    assert again == config
    for name, experiment in value["experiments"].items():
        for row, options in experiment["merging"].items():
            assert config.experiments[name].merging[row].options == options


BAD = [
    (GOOD, "", "is empty"),
    (GOOD, "[1]", "must be a mapping"),
    ("[0, 1]", "[0, 1", "good.yaml, line"),
    ("mtz: {", "none: {", "line 10: key 'none' is already in line 9"),
    ("seeds:", "sedes:", "unknown key 'sedes'; did you mean 'seeds'?"),
    (
        *("architecture:", "architekture:"),
        "experiments.digits_lenet5: unknown key 'architekture'; did you mean 'architecture'?",
    ),
    (
        *("epochs: 12", "epoch: 12"),
        "experiments.digits_lenet5.train.stages[0]: unknown key 'epoch'; did you mean 'epochs'?",
    ),
    (
        *("    dataset: digits\n", ""),
        "experiments.digits_lenet5.dataset: this required key is missing",
    ),
    ("[0, 1]", "[]", "seeds: at least 1 entry"),
    ("[0, 1]", "[1, 1]", "seeds: 1 is listed twice"),
    ("[0, 1]", "[a]", "seeds[0]: must be a whole number, not 'a'"),
    ("[0, 1]", "[true]", "seeds[0]: must be a whole number, not True"),
    ("seeds:", "threads: 1000000000000\nseeds:", "threads: must be less than or equal"),
    ("1e-2", ".nan", "learning_rate is nan, not a finite number"),
    ("seeds:", "device: gpu\nseeds:", "device: must be 'cpu', 'cuda' or 'auto'"),
    ("seeds:", "deltas: [0.5]\nseeds:", "deltas: must contain 1.0, the acc"),
    ("seeds:", "deltas: [1.0, 1.001]\nseeds:", "deltas: 1.001 is listed twice"),
    ("seeds:", "deltas: [1.0, 0.001]\nseeds:", "deltas: 0.001 is 0 with"),
    ("seeds:", "requests: {A: 1e308, B: 1e308}\nseeds:", "requests add up to"),
    (
        *(f"    pruning:\n{GOOD.partition('    pruning:')[2][1:]}", "    pruning: {}\n"),
        "experiments.digits_lenet5: 'pruning' needs at least 1 entry, unless 'merging' is empty",
    ),
    (MERGING, f"    relatedness: {{p-m: {{}}}}\n{MERGING}", "relatedness.p-m: the name must match"),
    (
        *(MERGING, f"    conditions: {{layers: [f4], redundancy: [mtzz]}}\n{MERGING}"),
        "conditions.redundancy names the unknown merging row 'mtzz'; did you mean 'mtz'?",
    ),
    (
        *(MERGING, f"    conditions: {{exclusivity: [mtz]}}\n{MERGING}"),
        "experiments.digits_lenet5.conditions: 'layers' must name at least 1 hidden layer",
    ),
    ("[1, 2, 4]", "[1, 4, 2]", "vibnet.strengths: values must increase"),
    ("[1, 2, 4]", "[1, 1.0000001]", "1.0000001 is listed twice, as 6 decimals"),
    ("[1, 2, 4]", "[1e-7, 1]", "1e-07 is 0 with the 6 decimals it is written"),
    (VIBNET, "{path: {start: 1e-7, step: 2}}", "1e-07 is 0 with the 6 decimals"),
    (VIBNET, "{path: {start: 1e-6, step: 1.1}}", "listed twice, as 6 decimals"),
    (
        *(VIBNET, "{strengths: [1, 2, 4], path: {start: 1, step: 2}}"),
        "pruning.vibnet: needs either 'strengths' or 'path'",
    ),
    ("strengths: [1", "strength: [1", "needs either 'strengths' or 'path'; is it 'strength'?"),
    (
        *(VIBNET, "{strengths: [1, 2, 4], mergings: [mtz, mttz]}"),
        "pruning.vibnet.mergings names the unknown merging row 'mttz'; did you mean 'mtz'?",
    ),
    (
        *(VIBNET, "{strengths: [1, 2, 4], beside: taylor_fist}"),
        "beside names the unknown pruning row 'taylor_fist'; did you mean 'taylor_fast'?",
    ),
    ("mtz:", "m-z:", "merging.m-z: the name must match"),
    ("mtz:", f"{'m' * 300}:", "the name must match ^[a-z0-9_]{1,64}$"),
    ("digits_lenet5:", "5:", "experiments has the key 5, which must be in"),
    ("none: {}", "none:", "merging.none: must be a mapping of keys to values"),
    ("tile: 16", "tile: 2020-01-01", "data.tile is a date"),
    ("data:", "tasks: [A, A]\n    data:", "tasks: 'A' is listed twice"),
    ("data:", "tasks: ['A&B']\n    data:", "tasks[0]: the name must match"),
    ("data:", "tasks: [shared]\n    data:", "name of the group of all"),
    ("data:", "tasks: [images]\n    data:", "'images' is the name of the in"),
    ("tile: 16", "tile: !!python/object:os.system x", "good.yaml, line 5"),
    ("tile: 16", "tile: !!int ''", "cannot read"),
]


@pytest.mark.parametrize(("old", "new", "says"), BAD, ids=[says for *_, says in BAD])
def test_one_sentence_for(old, new, says):
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        parse_config(GOOD.replace(old, new, 1), "good.yaml")
    sentence = str(caught.value)
    assert says in sentence
    assert sentence.startswith("good.yaml")
    assert "\n" not in sentence


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "quick.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"qick\.yaml does not exist; did you mean 'quick\.yaml'"):
        load_config(tmp_path / "qick.yaml")
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / f"{'a' * 300}.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"seeds: \xe9")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "latin.yaml")
    assert load_config(tmp_path / "quick.yaml") == good()


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(),
    st.dates(),
    st.binary(max_size=4),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(), st.integers()), inner)
    ),
    max_leaves=8,
)


@examples(150)
@given(changes(TREES))
def test_nothing_but_config_error_escapes_a_changed_file(change):
    try:
        parse_config(yaml.safe_dump(change(yaml.safe_load(GOOD))), "fuzzed")
    except ConfigError as error:
        assert "\n" not in str(error)


@examples(150)
@given(st.one_of(st.text(), st.text("{}[]:,-!&*#|>'\"%@` \n\tab01.")))
def test_nothing_but_config_error_escapes_any_text(text):
    with pytest.raises(ConfigError):
        parse_config(text, "fuzzed")


def test_schema_file_agrees_with_the_model():
    path = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text(), (
        f"write it anew: pam config --schema > {path.relative_to(ROOT)}"
    )


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profiles_fit_model_and_schema(path, validator):
    load_config(path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../schemas/config.schema.json\n")
    validator.validate(yaml.safe_load(text))


RELATED_ONLY = """\
seeds: [4, 2, 7]
experiments:
  faces:
    dataset: digits
    tasks: [A, B, C]
    architecture: lenet5
    train: {stages: [{epochs: 1, learning_rate: 0.1}]}
    merging: {}
    pruning: {}
    relatedness:
      pam: {retrain: {stages: []}}
      other: {method: pam, alpha: 0.5}
"""


def test_an_experiment_on_relatedness_only():
    config = parse_config(RELATED_ONLY, "related.yaml")
    assert parse_config(dump_config(config), "again") == config
    row = config.experiment("faces").row("relatedness", "other")
    assert (row.method, row.options) == ("pam", {"alpha": 0.5})
    with pytest.raises(ConfigError, match=r"unknown relatedness 'pan'; did you mean 'pam'"):
        config.experiment("faces").row("relatedness", "pan")
    with pytest.raises(ConfigError, match="'merging' needs at least 1 entry"):
        parse_config(RELATED_ONLY[: RELATED_ONLY.index("    relatedness")], "nothing.yaml")


CONDITIONS = (
    "    conditions: {layers: [f3, f4], samples: 64, exclusivity: [mtz], redundancy: [none]}\n"
)


def with_conditions(conditions: str = CONDITIONS) -> Config:
    return parse_config(GOOD.replace("    merging:", f"{conditions}    merging:"), "good.yaml")
