"""Code hashes change exactly with what a stage computes; config hashes with what a value says."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pam import ConfigError, provenance
from pam.provenance import (
    STAGES,
    code_hash,
    config_hash,
    environment,
    stage_modules,
)
from pam.source.modules import ROOT, Modules

PRUNERS = ("vibnet", "taylor")
MERGERS = ("none", "mtz", "all_shared", "pam")


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of the package that the hashes are taken from, free to be changed."""
    shutil.copytree(ROOT / "pam", tmp_path / "pam", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "source_modules", cache(lambda: Modules(tmp_path, "pam")))
    _forget()
    yield tmp_path / "pam"
    _forget()


def _forget() -> None:
    provenance.source_modules.cache_clear()
    stage_modules.cache_clear()
    provenance._module_hash.cache_clear()


def all_hashes() -> dict[str, str]:
    _forget()
    with_method = ("merge", "prune", "relate")
    hashes = {stage: code_hash(stage) for stage in STAGES if stage not in with_method}
    hashes |= {f"relate {name}": code_hash("relate", method=name) for name in ("none", "pam")}
    hashes |= {f"prune {name}": code_hash("prune", method=name) for name in PRUNERS}
    return hashes | {f"merge {name}": code_hash("merge", method=name) for name in MERGERS}


@cache
def untouched() -> dict[str, str]:
    """The hashes of a copy before anything in it is changed, the same for all copies."""
    return all_hashes()


def changed(before: dict[str, str]) -> set[str]:
    after = all_hashes()
    return {name for name in before if before[name] != after[name]}


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_comments_docstrings_and_formatting_do_not_count(sources):
    before = untouched()
    for path in sources.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""')
        path.write_text(
            '"""Another docstring."""' + text[text.index('"""', 3) + 3 :] + "\n\n# new\n"
        )
    assert changed(before) == set()


@pytest.mark.parametrize(
    ("module", "affected"),
    [
        ("pruning/taylor.py", {"prune taylor"}),
        ("pruning/vibnet.py", {"prune vibnet"}),
        ("merging/none.py", {"merge none", "relate none"}),
        ("merging/pam.py", {"merge pam", "relate pam"}),
        ("data/digits.py", {"prepare"}),
        ("cli/main.py", set()),
        ("config/model.py", set()),
        ("cli/measure.py", {"measure"}),
        ("analysis/redundancy.py", {"analyse"}),
        ("analysis/relatedness.py", {"relate none", "relate pam"}),
    ],
)
def test_a_changed_constant_touches_its_own_stage_only(sources, module, affected):
    before = untouched()
    append(sources / module, "\nANOTHER_CONSTANT = 1\n")
    assert changed(before) == affected


def test_what_every_network_stage_shares_touches_all_of_them(sources):
    before = untouched()
    append(sources / "networks" / "grouped.py", "\nANOTHER_CONSTANT = 1\n")
    touched = changed(before)
    assert {"train", "measure", *(f"prune {name}" for name in PRUNERS)} <= touched
    assert not touched & {"aggregate", "tables", "figures"}


def test_a_plot_touches_neither_networks_nor_rows(sources):
    before = untouched()
    append(sources / "reporting" / "figures" / "style.py", "\nANOTHER_CONSTANT = 1\n")
    assert "figures" in (touched := changed(before))
    assert touched <= {"figures", "tables"}


def test_a_table_shipped_with_the_package_counts_where_it_is_read(sources):
    before = untouched()
    append(next((sources / "reporting" / "published").glob("*.csv")), "another,row\n")
    assert changed(before) == {"aggregate", "tables"}


def test_the_docstring_of_a_constant_does_not_count(sources):
    before = untouched()
    append(sources / "files.py", '\n"""What the line above means."""\n')
    assert changed(before) == set()
    append(sources / "files.py", "\nANOTHER_CONSTANT = 1\n")
    assert changed(before) == set(before)


def test_architecture_and_dataset_are_picked_by_name(sources):
    def one():
        return code_hash("train", architecture="lenet5"), code_hash("prepare", dataset="digits")

    before = one()
    append(sources / "networks" / "vgg.py", "\nANOTHER_CONSTANT = 1\n")
    append(sources / "data" / "fashion_mnist.py", "\nANOTHER_CONSTANT = 1\n")
    _forget()
    assert one() == before
    assert code_hash("train", architecture="vgg16") != before[0]


def test_every_stage_has_its_command():
    for stage, (command, *_) in STAGES.items():
        assert command in stage_modules(stage)


def test_pruning_does_not_see_merging_nor_its_sibling():
    modules = stage_modules("prune", method="vibnet", architecture="lenet5")
    assert "pam.pruning.vibnet" in modules
    assert "pam.pruning.taylor" not in modules
    assert not [name for name in modules if name.startswith("pam.merging")]


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="unknown stage 'bake'; known: prepare"):
        code_hash("bake")
    with pytest.raises(ConfigError, match=r"no module of pam\.pruning registers 'tailor'.*taylor"):
        code_hash("prune", method="tailor")


def test_hashing_never_imports_torch():
    code = (
        "import sys; from pam.provenance import STAGES, code_hash; "
        "[code_hash(stage) for stage in STAGES]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: "Infinity" not in json.dumps(value))


@settings(deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_config_hash_ignores_the_order_of_keys(value):
    turned = dict(reversed(value.items()))
    assert config_hash(turned) == config_hash(json.loads(json.dumps(value)))


@settings(deadline=None)
@given(json_values, json_values)
def test_config_hash_differs_where_values_differ(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (config_hash(one) == config_hash(other)) is same
    assert len(config_hash(one)) == 12


def test_environment_is_plain_and_names_the_versions():
    known = environment()
    assert json.loads(json.dumps(known)) == known
    assert known["packages"]["torch"]
    assert known["device"] == "cpu"
    assert known["python"] == sys.version.split()[0]


def test_environment_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    provenance._git_state.cache_clear()
    assert environment()["git"] is None
    provenance._git_state.cache_clear()
