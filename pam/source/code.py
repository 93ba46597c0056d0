"""The hash of the code behind a name: what it imports, as syntax trees without docstrings.

It changes exactly when what the code computes may change, and not with a comment or a line break.
"""

import ast
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from pam.files import json_hash
from pam.registry import KINDS
from pam.source.entry_points import plugin_modules, source_modules
from pam.source.modules import REGISTER
from pam.source.signatures import describe, registered

HASH_LENGTH = 12

# Which arguments and keys there are decides nothing that a hash of the configuration does not say,
# where files lie decides nothing at all, and of the source only the plug-in that is found counts.
OUTSIDE = frozenset(
    {
        *("pam.cli", "pam.config", "pam.history", "pam.ranges", "pam.registry"),
        *("pam.runs", "pam.source"),
    }
)
NAMES = "pam.reporting.names"

Plugins = Mapping[str, str | None]
"""Package -> registered name; None: everything that is registered there."""


def code_hash(module: str, plugins: Plugins | None = None) -> str:
    """Return a hash, 12 digits, of the source of a module and all that it imports.

    Raises:
        ConfigError: for a name that no module registers.
    """
    lines = (f"{name}:{digest}\n" for name, digest in _digests(module, _key(plugins)).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:HASH_LENGTH]


def module_hashes(module: str, plugins: Plugins | None = None) -> dict[str, str]:
    """Return module -> hash, sorted, of what :func:`code_hash` covers: 12 hexadecimal digits."""
    return {name: full[:HASH_LENGTH] for name, full in _digests(module, _key(plugins)).items()}


def _key(plugins: Plugins | None) -> tuple[tuple[str, str | None], ...]:
    return tuple(sorted((plugins or {}).items()))


@cache
def _digests(module: str, plugins: tuple[tuple[str, str | None], ...]) -> dict[str, str]:
    entries = {module}.union(*(_modules_of(*plugin) for plugin in plugins))
    covered = source_modules().reachable(entries, without=OUTSIDE)
    digests = {name: _module_hash(name) for name in sorted(covered)}
    if NAMES in digests:
        # What methods are called is read from where they are registered.
        described = [describe(kind, name) for kind in KINDS for name in registered(kind)]
        digests["descriptions"] = json_hash([repr(one) for one in described])
    return digests


def _modules_of(package: str, name: str | None) -> set[str]:
    """Return the modules of a plug-in, and those of the one that it passes its options on to."""
    modules = plugin_modules(package, name)
    kind = next((kind for kind in KINDS if kind.package == package), None)
    other = describe(kind, name).options_of if kind and name else ""
    return modules | _modules_of(package, other) if other else modules


@cache
def _module_hash(name: str) -> str:
    module = source_modules().by_name[name]
    digest = hashlib.sha256(repr(_normalised(module.tree)).encode())
    # Tables shipped beside the modules of a package are as good as their constants.
    for path in sorted(module.path.parent.glob("*.csv")) if module.is_package else []:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _normalised(node: Any) -> Any:
    """Return a syntax tree as nested tuples without positions, docstrings and empty fields.

    Empty fields differ between Python versions, which must not change a hash. How a method
    describes itself decides nothing that it computes.
    """
    if isinstance(node, list):
        return tuple([_normalised(item) for item in node if not _is_docstring(item)])
    if not isinstance(node, ast.AST):
        return node
    names = node._fields
    if isinstance(node, ast.Call) and _registers(node):
        names = ("func", "args")
    fields = [
        (name, _normalised(value))
        for name in names
        if (value := getattr(node, name, None)) is not None and value != []
    ]
    return (type(node).__name__, *fields)


def _registers(call: ast.Call) -> bool:
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name.endswith(REGISTER)


def _is_docstring(node: Any) -> bool:
    """Tell whether a node is a text that stands alone: of a module, a function or a constant."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
