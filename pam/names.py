"""What names may look like, and what the user probably meant by one that is almost right."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import PurePosixPath

from pam.errors import ConfigError

# File names join names by '-' and combinations join tasks by '&', so neither may occur in a name; a
# file name holds two of them and more, and 255 letters at most.
ROW_NAME = "[a-z0-9_]{1,64}"
"""Of experiments and rows, as a regular expression."""
TASK_NAME = "[A-Za-z0-9_]{1,64}"

SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "blanks": lambda name: "/".join(part.strip() for part in name.split("/")),
    "backslashes": lambda name: str(PurePosixPath(name.replace("\\", "/"))),
    "capital letters": str.casefold,
    "the Unicode form of its letters": lambda name: unicodedata.normalize("NFC", name),
}
"""In what the name of a file may differ from the same name elsewhere -> what undoes it."""


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


def near_file(name: str, files: Iterable[str]) -> str:
    """Return which file may be meant by the name of one that is missing, to end a sentence with.

    Args:
        name: relative, with forward slashes.
        files: the names of those that are there.
    """

    def plain(name: str, but: str = "") -> str:
        for difference, undo in SPELLINGS.items():
            name = name if difference == but else undo(name)
        return name

    known = list(files)
    if same := [one for one in known if plain(one) == plain(name)]:
        differs = [but for but in SPELLINGS if plain(name, but) != plain(same[0], but)]
        return f"; there is {same[0]!r}, which differs in {' and '.join(differs)}"
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
