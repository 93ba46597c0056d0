"""Which modules of this package a module uses, read from its source without importing anything.

Every ``import`` statement counts, also those inside functions; only ``if TYPE_CHECKING:`` blocks,
which never run, do not. A name imported from a package is followed to the module that defines it,
so that a package's re-exports do not tie everything to everything.
"""

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(__file__).resolve().parent.name


class Import(NamedTuple):
    """One imported thing: ``from module import name``, or ``import module`` with no name."""

    module: str
    name: str | None
    bound_as: str


class Module:
    """The source of one module.

    Attributes:
        name: dotted name, e.g. ``pam.networks`` or ``pam.networks.lenet``.
        path: its file.
        is_package: whether the file is an ``__init__.py``.
    """

    def __init__(self, path: Path, root: Path) -> None:
        parts = path.relative_to(root).with_suffix("").parts
        self.path = path
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)

    @property
    def package(self) -> str:
        """The package the module lives in; of a package, itself."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))

    @cached_property
    def imports(self) -> list[Import]:
        """Everything the module imports from its own top-level package."""
        top = self.name.partition(".")[0]
        found = [one for node in _running(self.tree) for one in self._imported_by(node)]
        return [one for one in found if one.module.partition(".")[0] == top]

    def _imported_by(self, node: ast.AST) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(self._absolute(node), alias.name, alias.asname or alias.name)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        base = self.package.split(".")
        base = base[: len(base) - node.level + 1]
        return ".".join([*base, node.module] if node.module else base)

    @cached_property
    def defined(self) -> frozenset[str]:
        """The names that statements of the module itself define: functions, classes, variables."""
        names = {getattr(statement, "name", None) for statement in self.tree.body}
        stored = {
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        return frozenset(names | stored) - {None}

    @cached_property
    def registered(self) -> frozenset[str]:
        """The names under which the module enters plug-ins: ``register("name")``."""
        return frozenset(
            node.args[0].value
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call)
            and (getattr(node.func, "id", None) or getattr(node.func, "attr", None)) == "register"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        )


class Modules:
    """All modules of a package's source tree, by dotted name.

    Args:
        root: folder that holds the package.
        package: its name.
    """

    def __init__(self, root: Path = ROOT, package: str = PACKAGE) -> None:
        found = (Module(path, root) for path in sorted((root / package).rglob("*.py")))
        self.by_name = {module.name: module for module in found}

    def used_by(self, name: str) -> set[str]:
        """Return the modules that module ``name`` imports directly, re-exports resolved.

        A package's plug-ins, which its ``__init__`` imports only to have them registered, are
        not among them: who uses which plug-in is decided at run time, by name.
        """
        module = self.by_name[name]
        used = set().union(*(self._resolve(one.module, one.name) for one in module.imports))
        if module.is_package:
            used = {other for other in used if not self.by_name[other].registered}
        return used

    def reachable(self, entries: set[str], without: frozenset[str] = frozenset()) -> set[str]:
        """Return ``entries`` and all modules they use, directly or not, but none ``without``.

        A package named in ``without`` stands for everything inside it.
        """
        seen: set[str] = set()
        waiting = list(entries)
        while waiting:
            name = waiting.pop()
            if name in seen or any(name == out or name.startswith(f"{out}.") for out in without):
                continue
            seen.add(name)
            waiting.extend(self.used_by(name))
        return seen

    def plugins(self, package: str, registered: str | None = None) -> set[str]:
        """Return the modules of ``package`` that register ``registered``, or anything at all."""
        return {
            name
            for name, module in self.by_name.items()
            if module.package == package
            and (registered in module.registered if registered else module.registered)
        }

    def _resolve(self, module: str, name: str | None) -> set[str]:
        """Return the modules that ``from module import name`` may take its name from."""
        source = self.by_name.get(module)
        if source is None:
            return set()
        if name is None or not source.is_package:
            return {module}
        for one in source.imports:
            if one.bound_as == name and (one.module, one.name) != (module, name):
                return self._resolve(one.module, one.name)
        submodule = f"{module}.{name}"
        if submodule in self.by_name:
            return {submodule}
        if name in source.defined:
            return {module}
        # The package makes the name when it is asked for: it may come from anywhere inside.
        return {other for other in self.by_name if other.startswith(f"{module}.")} | {module}


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node below ``node`` except those only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        yield child
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for otherwise in child.orelse:
                yield from _running(otherwise)
        else:
            yield from _running(child)
