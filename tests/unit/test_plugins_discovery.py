"""Plug-ins are found by entry points, imported when first needed, and hashed without import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pam.errors import ConfigError
from pam.source.code import module_hashes
from pam.source.modules import ROOT, Modules

MERGER = """
from pam.merging import register
from {package}.inside import VALUE

@register("{name}")
def merger(networks, data, *, seed):
    raise RuntimeError(VALUE)
"""


def install(folder: Path, package: str, points: dict[str, str], sources: dict[str, str]) -> None:
    """Lay out a package and its metadata as pip does."""
    for name, text in {"__init__.py": "", **sources}.items():
        path = folder / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {module}" for name, module in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[pam.plugins]", *lines, ""]))


def python(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run a Python that finds what is installed in a folder."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def said(folder: Path, code: str) -> str:
    done = python(folder, "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def site(tmp_path):
    """One good plug-in, whose module is imported by the module of the entry point."""
    install(
        tmp_path,
        "good",
        {"good": "good.plugins"},
        {
            "plugins.py": "from good import merger\n",
            "merger.py": MERGER.format(package="good", name="mine"),
            "inside.py": "VALUE = 1\n",
            "apart.py": "VALUE = 1\n",
        },
    )
    return tmp_path


def test_plugins_are_imported_only_when_a_name_asks_for_them_and_are_all_listed(site):
    code = """
import sys
from pam.merging import MERGERS
MERGERS.get("pam")
assert not [name for name in sys.modules if name.startswith(("good", "pam.plugins."))]
print(MERGERS.get("mine").__module__)
assert "good.merger" in sys.modules
print(*MERGERS)
"""
    module, *names = said(site, code).split()
    assert module == "good.merger"
    assert {"mine", "random", "zipit", "pam"} <= set(names)


def test_the_projects_own_plugins_need_no_installation(tmp_path):
    # -S: no site-packages folder, so no metadata of this project or any other.
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from pam.source.modules import Modules\n"
        "print(*sorted(Modules().plugins('pam.merging', 'zipit')))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, str(ROOT)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["pam.plugins.zipit"], done.stderr


def test_a_plugin_that_fails_is_named_where_it_matters_and_only_there(site):
    install(site, "broken", {"ill": "broken.module"}, {"module.py": "import no_such_thing\n"})
    sentence = (
        "entry point 'ill = broken.module' cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_thing'"
    )
    code = """
from pam.errors import ConfigError
from pam.merging import MERGERS
MERGERS.get("mine"), MERGERS.get("zipit")
for look in (lambda: MERGERS.get("ill"), lambda: list(MERGERS)):
    try:
        look()
    except ConfigError as error:
        print(error)
"""
    assert said(site, code).splitlines() == [f"unknown merging method 'ill'; {sentence}", sentence]


HASHES = """
import json, sys
from pam.source.code import code_hash, module_hashes
print(json.dumps([
    code_hash("pam.stages.merge", {"pam.merging": "mine"}),
    code_hash("pam.stages.merge", {"pam.merging": "zipit"}),
    list(module_hashes("pam.stages.merge", {"pam.merging": "mine"})),
]))
assert not {"torch", "good"} & set(sys.modules)
"""


def test_the_hash_covers_what_a_plugin_uses_of_its_package(site):
    mine, zipit, modules = json.loads(said(site, HASHES))
    assert {"good.merger", "good.inside", "pam.merging.registry", "pam.stages.merge"} <= set(
        modules
    )
    assert "good.apart" not in modules
    for changed, counts in (("apart plugins", False), ("inside", True), ("merger", True)):
        for name in changed.split():
            with (site / "good" / f"{name}.py").open("a") as file:
                file.write("\nANOTHER = 1\n")
        after, zipit_after, _ = json.loads(said(site, HASHES))
        assert (after != mine) is counts
        assert zipit_after == zipit
        mine = after


def test_the_hash_covers_the_method_that_gets_the_options():
    assert "pam.merging.pam" in module_hashes("pam.stages.merge", {"pam.merging": "random"})


def test_a_title_touches_tables_and_figures_only(site):
    code = """
from pam.runs.cells import stage_code
from pam.source.code import code_hash
merge = code_hash("pam.stages.merge", {"pam.merging": "mine"})
print(merge, stage_code("tables"), stage_code("figures"))
"""
    merge, *shown = said(site, code).split()
    path = site / "good" / "merger.py"
    path.write_text(path.read_text().replace('@register("mine")', '@register("mine", title="M")'))
    merge_after, *shown_after = said(site, code).split()
    assert merge_after == merge
    assert all(before != after for before, after in zip(shown, shown_after, strict=True))


def test_an_entry_point_without_a_module_is_named(site):
    install(site, "lost", {"away": "lost.gone", "beyond": "nowhere.at_all"}, {})
    code = """
from pam.errors import ConfigError
from pam.source.code import code_hash
code_hash("pam.stages.merge", {"pam.merging": "mine"})
try:
    code_hash("pam.stages.merge", {"pam.merging": "away"})
except ConfigError as error:
    print(error)
"""
    assert said(site, code) == (
        "no module of pam.merging registers 'away'; "
        "entry point 'away = lost.gone' names a module that is not there"
    )


def test_a_module_without_a_package_can_be_a_plugin(tmp_path):
    install(tmp_path, "single", {"one": "one_file"}, {})
    (tmp_path / "one_file.py").write_text(
        "import pam.merging as m\n@m.register('single')\ndef single(): ...\n"
    )
    code = (
        "from pam.source.code import module_hashes\n"
        "print('one_file' in module_hashes('pam.stages.merge', {'pam.merging': 'single'}))\n"
        "from pam.merging import MERGERS\nprint(MERGERS.get('single').__module__)"
    )
    assert said(tmp_path, code).split() == ["True", "one_file"]


@pytest.mark.parametrize(
    ("source", "registered"),
    [
        ("from pam.data import register\nregister('a')", {("pam.data", "a")}),
        ("from pam.pruning import register as enter\nenter('a')", {("pam.pruning", "a")}),
        ("import pam.networks\npam.networks.register('a')", {("pam.networks", "a")}),
        ("from pam import data, merging\nmerging.register('a')", {("pam.merging", "a")}),
        ("from pam.merging import MERGERS\nMERGERS.register('a')", {("pam.merging", "a")}),
        ("import atexit\natexit.register('a')", set()),
        ("from pam.data import register\nregister(NAME)", set()),
        ("from pam.data import load\nload('digits')", set()),
    ],
)
def test_what_a_source_registers(tmp_path, source, registered):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "one.py").write_text(source)
    modules = Modules(tmp_path, "outside")
    assert modules.by_name["outside.one"].registrations.keys() == registered


def test_a_source_that_is_no_python_is_named(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "one.py").write_text("def f(:\n")
    with pytest.raises(ConfigError, match=r"one\.py is not valid Python: invalid syntax"):
        _ = Modules(tmp_path, "outside").by_name["outside.one"].tree
