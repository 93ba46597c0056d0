"""Checks with names in plain words, and what comes of running them."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from pam.errors import ConfigError, PamError

Case = TypeVar("Case")

# How to mend what goes wrong in more than one kind of plug-in.
SEED_ALL = (
    "draw from torch.Generator().manual_seed(derive_seed(..., seed)), never from the global one"
)
NAME_OPTIONS = "name every option in the signature, or raise ConfigError for the rest"
WRITE_NAME = (
    'write the name as text, @register("mine"), in a module that the entry point names or imports'
)


@dataclass(frozen=True)
class Result:
    """What came of one check.

    Attributes:
        says: what holds if it passed.
        missing: what is wrong, in one sentence; empty if it passed.
        mend: what to do about it.
    """

    says: str
    missing: str = ""
    mend: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class Missing(Exception):
    """Raised by a check, with a sentence that says what is missing."""


def ensure(holds: bool, missing: str) -> None:
    """Raise :class:`Missing` with a sentence unless something holds."""
    if not holds:
        raise Missing(missing)


@dataclass(frozen=True)
class Checklist(Generic[Case]):
    """Checks of one kind of plug-in, in order; if the first one fails, the rest cannot run."""

    checks: list[tuple[str, str, Callable[[Case], None]]] = field(default_factory=list)

    def check(self, mend: str) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
        """Return a decorator that enters a check, which raises if something is missing.

        The docstring of the check says what holds if it passes.

        Args:
            mend: what to do if it does not.
        """

        def enter(function: Callable[[Case], None]) -> Callable[[Case], None]:
            says = (function.__doc__ or function.__name__).strip().removesuffix(".")
            self.checks.append((says[0].lower() + says[1:], mend, function))
            return function

        return enter

    def run(self, case: Case) -> Iterator[Result]:
        """Yield the result of every check, as it comes."""
        for number, (says, mend, function) in enumerate(self.checks):
            missing = _missing(function, case)
            yield Result(says, missing, mend if missing else "")
            if missing and number == 0:
                return


def _missing(function: Callable[[Case], None], case: Case) -> str:
    try:
        function(case)
    except Missing as missing:
        return str(missing)
    # A plug-in's own code runs here; whatever it raises is what its author has to see.
    except Exception as error:
        return _said(error)
    return ""


def _said(error: Exception) -> str:
    """Return an error in one sentence; one that is no plain refusal tells where it was raised."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, PamError):
        return said
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{said} ({Path(last.filename).name}, line {last.lineno})"


def ensure_refused(call: Callable[..., object]) -> None:
    """Check that an option which no plug-in has is refused with a ConfigError.

    Args:
        call: uses the plug-in with the options it is given as keywords.
    """
    try:
        call(no_such_option=1)
    except ConfigError:
        return
    raise Missing("the option 'no_such_option' is accepted without a word")


def refuse_access(part: str) -> NoReturn:
    """Raise :class:`Missing` for a part of the data that a plug-in must not look at."""
    raise Missing(f"the {part} part of the data is looked at")
