"""Named plug-ins: data sets, architectures, mergers and pruners are found by name."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from pam.errors import ConfigError
from pam.source import entry_points

T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping from name to plug-in that explains itself when a name is unknown.

    Plug-ins of ``pam/plugins`` and of installed packages are imported when they are first needed:
    for a name that is not entered yet, or for the list of all names.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters its object under ``name``.

        Raises:
            ConfigError: if the name is taken by another object.
        """

        def enter(entry: T) -> T:
            if self._entries.get(name, entry) is not entry:
                raise ConfigError(f"{self.kind} '{name}' is registered twice")
            self._entries[name] = entry
            return entry

        return enter

    def get(self, name: str) -> T:
        """Return the object entered under ``name``.

        Raises:
            ConfigError: if there is none; the sentence names the nearest known name, or the
                plug-in that could not be imported.
        """
        if name in self:
            return self._entries[name]
        near = get_close_matches(str(name), self._entries, n=1)
        hint = (
            f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(self._entries))}"
        )
        problems = entry_points.load()
        raise ConfigError(f"unknown {self.kind} '{name}'; {problems[0] if problems else hint}")

    def __iter__(self) -> Iterator[str]:
        problems = entry_points.load()
        if problems:
            raise ConfigError(problems[0])
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            entry_points.load()
        return name in self._entries
