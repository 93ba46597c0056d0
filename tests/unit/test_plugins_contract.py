"""This project's own plug-ins use nothing but the public contract, which any author can use."""

import ast
from importlib import import_module

import pytest

from pam.source.modules import ROOT, Modules

CONTRACT = {
    *("pam.data", "pam.networks", "pam.merging", "pam.pruning"),
    *(
        "pam.information",
        "pam.training",
        "pam.errors",
        "pam.ranges",
        "pam.seeds",
        "pam.durable.checkpoints",
    ),
}
FILES = sorted((ROOT / "pam" / "plugins").glob("[!_]*.py"))


def public_names(module: str) -> set[str]:
    """What a module exports: ``__all__``, or all that it defines under a public name."""
    found = import_module(module)
    defined = {
        name
        for name, value in vars(found).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module
    }
    return set(getattr(found, "__all__", defined))


def breaches(source: str) -> list[str]:
    """What a plug-in takes from this project beside the contract, or from inside its objects."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == "pam"]
        elif isinstance(node, ast.ImportFrom):
            if node.level or (
                (node.module or "").startswith("pam") and node.module not in CONTRACT
            ):
                found.append(f"{'.' * node.level}{node.module}")
            elif node.module in CONTRACT:
                public = public_names(node.module)
                found += [a.name for a in node.names if a.name not in public]
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            found.append(node.attr)
    return found


def test_the_plugins_are_looked_at():
    assert {"branch", "l1_pruner", "zipit"} < {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_plugin_uses_only_the_contract(path):
    assert breaches(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "breach"),
    [
        ("import pam.networks.grouped", "pam.networks.grouped"),
        ("from pam.merging.pam import pam", "pam.merging.pam"),
        ("from pam.networks import SHARED", "SHARED"),
        ("from pam import provenance", "pam"),
        ("from .zipit import match", ".zipit"),
        ("network._block", "_block"),
    ],
)
def test_a_breach_is_seen(source, breach):
    assert breaches(source) == [breach]


def test_every_exported_name_is_there():
    for module in CONTRACT:
        for name in public_names(module):
            assert hasattr(import_module(module), name), f"{module}.{name}"


def test_nothing_imports_the_plugins():
    modules = Modules()
    for name, module in modules.by_name.items():
        used = [one.module for one in module.imports if one.module.startswith("pam.plugins")]
        assert used == [], name
