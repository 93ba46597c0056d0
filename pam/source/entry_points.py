"""Where plug-ins live: the files of ``pam/plugins`` and the entry points of installed packages.

A package offers plug-ins by an entry point of the group ``pam.plugins`` that names a module; the
import of that module registers them. Looking for them reads metadata and imports nothing.
"""

from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import NamedTuple

from pam.errors import ConfigError
from pam.names import hint
from pam.source.modules import Modules

GROUP = "pam.plugins"


class EntryPoint(NamedTuple):
    """One module of plug-ins.

    Attributes:
        module: dotted name.
        said: how a sentence calls it.
    """

    module: str
    said: str


def own() -> list[EntryPoint]:
    """Return the modules of this project's own plug-ins: one per file of ``pam/plugins``."""
    files = sorted((Path(__file__).parents[1] / "plugins").glob("[!_]*.py"))
    return [EntryPoint(f"{GROUP}.{path.stem}", f"plug-in {path.name}") for path in files]


@cache
def declared() -> tuple[EntryPoint, ...]:
    """Return the modules that installed packages declare, sorted by name."""
    return tuple(
        EntryPoint(one.module, f"entry point '{one.name} = {one.value}'")
        for one in sorted(metadata.entry_points(group=GROUP), key=lambda one: (one.name, one.value))
    )


@cache
def load() -> tuple[str, ...]:
    """Import all plug-ins, and return a sentence for each one that could not be imported."""
    problems = []
    for one in (*own(), *declared()):
        try:
            import_module(one.module)
        # A plug-in's own code runs here: whatever it raises is one plug-in's fault.
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            problems.append(f"{one.said} cannot be imported: {said}")
    return tuple(problems)


@cache
def source_modules() -> Modules:
    """Return the modules of this package and of those that installed plug-ins live in."""
    return Modules(plugins=[one.module for one in declared()])


def plugin_modules(package: str, registered: str | None) -> set[str]:
    """Return the modules that register ``registered``, or anything, with ``package``.

    Raises:
        ConfigError: if no module registers it.
    """
    modules = source_modules()
    found = modules.plugins(package, registered)
    if registered is not None and not found:
        known = hint(registered, modules.names(package))
        absent = [one.said for one in declared() if one.module not in modules.by_name]
        why = f"{absent[0]} names a module that is not there" if absent else known
        raise ConfigError(f"no module of {package} registers '{registered}'; {why}")
    return found
