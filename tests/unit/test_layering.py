"""Imports follow the arrow of docs/architecture.md, and never run in a circle."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from pam.source.modules import ROOT, Modules

GROUND = {
    *("errors", "names", "seeds", "files", "garbage", "groups", "pictures", "ranges", "registry"),
    *("text_files", "torchvision_shim"),
}
BELOW = {"training": {"data", "networks", "information"}}
BELOW["merging"] = BELOW["training"] | {"training"}
BELOW["pruning"] = BELOW["merging"]
SCIENCE = BELOW["merging"] | {"merging", "pruning"}
RUNS = {"source", "config", "runs"}
# What each package may import besides the ground and itself.
ALLOWED = {
    **BELOW,
    **{name: {"durable", "source"} for name in ("data", "networks", "information")},
    "durable": set(),
    "source": set(),
    "config": {"source"},
    "runs": {"source", "config"},
    "analysis": SCIENCE,
    "plugins": SCIENCE,
    "cost": {"data", "networks", "training"},
    "conformance": SCIENCE | {"cost"} | RUNS,
    "deploy": {"data", "networks", "cost", "runs"},
    "bench": RUNS | {"data", "networks", "cost", "reporting"},
    "reporting": RUNS,
    "history": RUNS | {"reporting"},
    "stages": RUNS | SCIENCE | {"durable", "analysis", "cost", "reporting"},
}
for name in (*BELOW, "analysis", "plugins", "cost"):
    ALLOWED[name] = ALLOWED[name] | {"durable", "source"}
FREE = {"cli"}

MODULES = Modules()


def part(module: str) -> str:
    """The package or base module that a dotted name belongs to."""
    return module.split(".")[1] if "." in module else ""


def violations(modules: Modules) -> list[str]:
    found = []
    for name, module in modules.by_name.items():
        here = part(name)
        if not here or here in FREE:
            continue
        may = GROUND | (ALLOWED[here] | {here} if here in ALLOWED else set())
        for one in module.imports:
            there = part(one.module) or (
                one.name if f"pam.{one.name}" in modules.by_name else "errors"
            )
            if there not in may:
                found.append(f"{name} imports {there}")
    return found


def test_every_part_has_its_place():
    parts = {part(name) for name in MODULES.by_name} - {""}
    assert parts == GROUND | set(ALLOWED) | FREE


def test_the_page_shows_the_house_as_it_is():
    """Every package has its row, and may import only what stands above it."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("| package |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    assert {name for row in rows for name in row} == GROUND | set(ALLOWED) | FREE
    above = GROUND
    for row in rows[1:]:
        for name in {*row} - FREE:
            assert ALLOWED[name] <= above, name
        above = above | {*row}


def test_imports_follow_the_arrow():
    assert violations(MODULES) == []


def test_no_cycles():
    # A submodule runs after its package's __init__, whatever that imports: not an edge.
    graph = {name: MODULES.used_by(name) - {name} for name in MODULES.by_name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' -> '.join(error.args[1])}")


def test_torch_stays_out_of_config_reporting_and_parsing():
    light = {"config", "history", "reporting", "runs", "source"}
    for name, module in MODULES.by_name.items():
        if part(name) in light or name in {"pam", "pam.cli.main", "pam.source.modules"}:
            source = module.path.read_text(encoding="utf-8")
            assert "import torch" not in source, name


def write_package(folder: Path, sources: dict[str, str]) -> Modules:
    for name, text in sources.items():
        path = folder / "pam" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Modules(folder, "pam")


def test_an_import_against_the_arrow_is_seen(tmp_path):
    modules = write_package(
        tmp_path,
        {
            "__init__.py": "",
            "pruning/__init__.py": "",
            "pruning/one.py": "def f():\n    from pam.merging import merge\n",
            "merging/__init__.py": "def merge(): ...\n",
        },
    )
    assert violations(modules) == ["pam.pruning.one imports merging"]


def test_reexports_are_followed_to_where_a_name_is_defined(tmp_path):
    modules = write_package(
        tmp_path,
        {
            "__init__.py": "",
            "a/__init__.py": "from pam.a import plug\nfrom .b import B\nfrom .c import C as D\n",
            "a/b.py": "B = 1\n",
            "a/c.py": "C = 1\n",
            "a/plug.py": "@register('x')\ndef plug(): ...\n",
            "a/lazy/__init__.py": "def __getattr__(name): ...\n",
            "a/lazy/inner.py": "",
            "user.py": "from pam.a import D\n",
            "both.py": "import pam.a\nif TYPE_CHECKING:\n    import pam.user\n",
            "asks.py": "from pam.a.lazy import anything\n",
        },
    )
    assert modules.used_by("pam.user") == {"pam.a.c"}
    assert modules.used_by("pam.both") == {"pam.a"}
    assert modules.used_by("pam.a") == {"pam.a.b", "pam.a.c"}
    assert modules.used_by("pam.asks") == {"pam.a.lazy", "pam.a.lazy.inner"}
    assert modules.reachable({"pam.user", "pam.a"}, frozenset({"pam.a.b"})) == {
        *("pam.user", "pam.a", "pam.a.c")
    }
    assert modules.plugins("pam.a", "x") == {"pam.a.plug"}
    assert modules.plugins("pam.a", "y") == set()
