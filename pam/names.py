"""Names that are almost right: what the user probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches

from pam.errors import ConfigError


def hint(name: object, known: Iterable[str]) -> str:
    """Return ``did you mean '...'?``, or the list of known names when none is near."""
    names = list(known)
    near = get_close_matches(str(name), names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"


def check_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Check that ``name`` is one of the known names.

    Raises:
        ConfigError: if it is not; the sentence names the nearest one.
    """
    names = list(known)
    if name not in names:
        raise ConfigError(f"unknown {kind} '{name}'; {hint(name, names)}")
