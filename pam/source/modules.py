"""Which modules a module uses, read from its source without importing anything.

Modules are those of this package and of the packages that installed plug-ins live in. Every
``import`` statement counts, also those inside functions; only ``if TYPE_CHECKING:`` blocks, which
never run, do not. A name imported from a package is followed to the module that defines it, so
that a package's re-exports do not tie everything to everything.
"""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import NamedTuple

from pam.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(__file__).resolve().parents[1].name
REGISTER = "register"


class Registration(NamedTuple):
    """A call of ``register``, and what it stands on as a decorator."""

    call: ast.Call
    target: ast.AST | None


class Import(NamedTuple):
    """One imported thing: ``from module import name``, or ``import module`` with no name."""

    module: str
    name: str | None
    bound_as: str


class Module:
    """The source of one module, in the folder of its package ``top`` (empty if it has none).

    Attributes:
        name: dotted name, e.g. ``pam.networks`` or ``pam.networks.lenet``.
        path: its file.
        is_package: whether the file is an ``__init__.py``.
    """

    def __init__(self, path: Path, folder: Path, top: str) -> None:
        parts = [*([top] if top else []), *path.relative_to(folder).with_suffix("").parts]
        self.path = path
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)

    @property
    def package(self) -> str:
        """The package the module lives in; of a package, itself."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source.

        Raises:
            ConfigError: if it is not valid Python.
        """
        try:
            return ast.parse(self._source, filename=str(self.path))
        except (SyntaxError, ValueError) as error:
            raise ConfigError(f"{self.path} is not valid Python: {error}") from error

    @cached_property
    def _source(self) -> bytes:
        return self.path.read_bytes()

    @cached_property
    def imports(self) -> list[Import]:
        """Everything the module imports from its own top-level package and from this one."""
        known = (self.name.partition(".")[0], PACKAGE)
        found = [one for node in _running(self.tree.body) for one in self._imported_by(node)]
        return [one for one in found if one.module.partition(".")[0] in known]

    def _imported_by(self, node: ast.AST) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), self.package)
            for alias in node.names:
                yield Import(source, alias.name, alias.asname or alias.name)

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

    def constant(self, name: str) -> ast.expr | None:
        """Return what a statement of the module itself assigns to a name, if one does."""
        for statement in self.tree.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    return value
        return None

    @cached_property
    def registrations(self) -> dict[tuple[str, str], Registration]:
        """``("pam.merging", "mine")`` -> ``@register("mine")``; names written as text only."""
        if REGISTER.encode() not in self._source:
            return {}
        statements = list(_running(self.tree.body))
        targets = {
            id(decorator): statement
            for statement in statements
            for decorator in getattr(statement, "decorator_list", [])
        }
        calls = [
            ((self._registry_of(node.func), node.args[0].value), node)
            for statement in statements
            for part in ast.iter_child_nodes(statement)
            if isinstance(part, ast.expr)
            for node in ast.walk(part)
            if isinstance(node, ast.Call)
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ]
        return {
            (package, name): Registration(call, targets.get(id(call)))
            for (package, name), call in calls
            if package
        }

    def _registry_of(self, function: ast.expr) -> str | None:
        """Return the package whose ``register`` a call calls, or None if it calls another thing."""
        head, *rest = ast.unparse(function).split(".")
        source = next((one for one in self.imports if one.bound_as == head), None)
        if source is not None:
            head = f"{source.module}.{source.name}" if source.name else source.module
        words = ".".join([head, *rest]).split(".")
        if words == [REGISTER]:
            return self.package
        return ".".join(words[:2]) if words[0] == PACKAGE and words[-1] == REGISTER else None


class Modules:
    """All modules of this package's source tree and of those of plug-ins, by dotted name.

    Args:
        root: folder that holds the package.
        package: its name.
        plugins: modules of installed packages that register plug-ins; one whose source is not
            found is left out.
    """

    def __init__(
        self, root: Path = ROOT, package: str = PACKAGE, plugins: Collection[str] = ()
    ) -> None:
        found = _modules_in(root / package, package)
        for top in sorted({name.partition(".")[0] for name in plugins} - {package}):
            found += _modules_of_installed(top)
        self.package = package
        self.by_name = {module.name: module for module in found}
        self._entries = self.by_name.keys() & set(plugins)

    def used_by(self, name: str) -> set[str]:
        """Return the modules that module ``name`` imports directly, re-exports resolved.

        A package's plug-ins, which its ``__init__`` imports only to have them registered, are
        not among them: who uses which plug-in is decided at run time, by name.
        """
        used = self._uses(name)
        if self.by_name[name].is_package:
            used = {other for other in used if not self.by_name[other].registrations}
        return used

    def reachable(self, entries: set[str], without: frozenset[str] = frozenset()) -> set[str]:
        """Return ``entries`` and all modules they use, directly or not, but none ``without``.

        A package named in ``without`` stands for everything inside it.
        """
        return _spread(entries, self.used_by, without)

    def plugins(self, package: str, registered: str | None = None) -> set[str]:
        """Return the modules that register ``registered``, or anything, with ``package``."""
        return {module for module, name in self._entered(package) if registered in (None, name)}

    def names(self, package: str) -> list[str]:
        """Return the sorted names that are registered with ``package``."""
        return sorted({name for _, name in self._entered(package)})

    def _entered(self, package: str) -> Iterator[tuple[str, str]]:
        """Yield (module, name) for all that is registered with ``package``."""
        homes = (package, f"{self.package}.plugins")
        inside = {name for name, module in self.by_name.items() if module.package in homes}
        for module in inside | self._installed:
            for where, name in self.by_name[module].registrations:
                if where == package:
                    yield module, name

    @cached_property
    def _installed(self) -> set[str]:
        """The modules that the import of installed plug-ins imports of their own packages."""
        return _spread(self._entries, self._uses, frozenset({self.package}))

    def _uses(self, name: str) -> set[str]:
        imports = self.by_name[name].imports
        return set().union(*(self._resolve(one.module, one.name) for one in imports))

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


def _running(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield statements and those inside them except what only a type checker reads.

    No expression can hold an import, so none is looked into.
    """
    for statement in statements:
        yield statement
        checked = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test)
        for block in ("orelse",) if checked else _BLOCKS:
            yield from _running(getattr(statement, block, ()))


_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
"""Fields in which a statement, or a part of one, holds others, in the order of the source."""


def _spread(
    entries: set[str], step: Callable[[str], set[str]], without: frozenset[str]
) -> set[str]:
    """Return ``entries`` and all that any number of steps lead to, but nothing ``without``."""
    seen: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name in seen or any(name == out or name.startswith(f"{out}.") for out in without):
            continue
        seen.add(name)
        waiting.extend(step(name))
    return seen


def _modules_in(folder: Path, top: str) -> list[Module]:
    return [Module(path, folder, top) for path in sorted(folder.rglob("*.py"))]


def _modules_of_installed(top: str) -> list[Module]:
    """Return the modules of an installed top-level package or module; none if it is missing."""
    try:
        # For a top-level name this looks it up and imports nothing.
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        folders = [Path(folder) for folder in spec.submodule_search_locations]
        return [module for folder in folders for module in _modules_in(folder, top)]
    path = Path(spec.origin or "")
    return [Module(path, path.parent, "")] if path.suffix == ".py" else []
