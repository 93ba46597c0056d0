"""Named plug-ins of every kind, and what they say of themselves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pam.errors import ConfigError
from pam.names import hint

T = TypeVar("T")
LAST = 50
"""Place in tables of a method that states none."""


@dataclass(frozen=True)
class Kind:
    """A kind of plug-in.

    Attributes:
        package: whose ``register`` enters it.
        noun: what a sentence calls it.
        section: what a key of the configuration calls its options.
        given: parameters that the caller fills, so that no configuration can.
    """

    package: str
    noun: str
    section: str
    given: frozenset[str]


DATASET = Kind("pam.data", "dataset", "data", frozenset({"root"}))
ARCHITECTURE = Kind("pam.networks", "architecture", "network", frozenset({"input_shape"}))
MERGER = Kind("pam.merging", "merging method", "merging", frozenset({"networks", "data", "seed"}))
PRUNER = Kind("pam.pruning", "pruning method", "pruning", frozenset({"network", "data", "seed"}))


KINDS = (DATASET, ARCHITECTURE, MERGER, PRUNER)


@dataclass(frozen=True)
class Description:
    """What a plug-in says of itself where it is registered; every value is written as a literal.

    Attributes:
        name: registered name, as configurations write it.
        title: what tables and figures call it; the name by default.
        paper: who published it, and where.
        family: the method that it is a variant of; itself by default.
        order: its place in tables, lowest first; ties go by name.
        options_of: the method whose options it takes besides its own, as ``**options``.
        beside: of a pruner: the pruner whose B1 and B2 its networks are compared with, by default
            itself.
        ladder: of a pruner: how its strengths grow along a path, ``growth`` or ``remaining``, see
            :class:`pam.pruning.Ladder`; empty if only lists of strengths fit it.
        least_tasks: of a merger: how many tasks it needs.
        layers: of an architecture: its hidden layers in order, between spaces, if no option
            decides them.
        tasks: of a data set: its tasks if no option ``tasks`` names others.
        tasks_with: of a data set: option -> its tasks where that option is given.
        train_size: of a data set: the option that says how many training images it has.
    """

    name: str
    title: str = ""
    paper: str = ""
    family: str = ""
    order: int = LAST
    options_of: str = ""
    beside: str = ""
    ladder: str = ""
    least_tasks: int = 1
    layers: str = ""
    tasks: tuple[str, ...] = ()
    tasks_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    train_size: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", self.title or self.name.replace("_", " "))
        object.__setattr__(self, "family", self.family or self.name)
        object.__setattr__(self, "beside", self.beside or self.name)

    @classmethod
    def of(cls, name: str, **facts: Any) -> "Description":
        """Return the description of what is registered under ``name`` with these facts.

        Raises:
            ConfigError: for a fact that a description does not hold.
        """
        known = [one for one in cls.__dataclass_fields__ if one != "name"]
        for fact in facts:
            if fact not in known:
                raise ConfigError(f"'{name}' is registered with '{fact}'; {hint(fact, known)}")
        return cls(name, **facts)


class Registry(Generic[T]):
    """A mapping from name to plug-in that explains itself when a name is unknown.

    Args:
        kind: of its plug-ins.
        discover: imports the plug-ins that nothing has imported yet, and returns a sentence for
            each one that could not be imported. It is called when they are first needed: for a
            name that is not entered yet, or for the list of all names.
    """

    def __init__(self, kind: Kind, discover: Callable[[], Sequence[str]]) -> None:
        self.kind = kind
        self._discover = discover
        self._entries: dict[str, T] = {}
        self._descriptions: dict[str, Description] = {}
        self._forecasts: dict[str, Any] = {}

    def register(self, name: str, *, forecast: Any = None, **facts: Any) -> Callable[[T], T]:
        """Return a decorator that enters its object under ``name``.

        Args:
            name: as configurations write it.
            forecast: what time estimates need to know; each registry says what that is.
            **facts: of its :class:`Description`, written as literals: they are also read from
                the source, without running it.

        Raises:
            ConfigError: if the name is taken by another object, or a fact is unknown.
        """
        description = Description.of(name, **facts)

        def enter(entry: T) -> T:
            if self._entries.get(name, entry) is not entry:
                raise ConfigError(f"{self.kind.noun} '{name}' is registered twice")
            self._entries[name] = entry
            self._descriptions[name] = description
            self._forecasts[name] = forecast
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
        problems = self._discover()
        said = problems[0] if problems else hint(name, sorted(self._entries))
        raise ConfigError(f"unknown {self.kind.noun} '{name}'; {said}")

    def describe(self, name: str) -> Description:
        """Return the description of what is entered under ``name``."""
        self.get(name)
        return self._descriptions.get(name, Description(name))

    def forecast(self, name: str) -> Any:
        """Return what was registered for time estimates; None if nothing was."""
        self.get(name)
        return self._forecasts.get(name)

    def __iter__(self) -> Iterator[str]:
        problems = self._discover()
        if problems:
            raise ConfigError(problems[0])
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            self._discover()
        return name in self._entries
