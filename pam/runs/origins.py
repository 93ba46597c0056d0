"""What the tables and the figures of a run are made from, told in a file beside them."""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, TypeAdapter

from pam.errors import DataError
from pam.runs.paths import ORIGINS
from pam.runs.record import Part
from pam.runs.stages import CSV_FILES, STAGES


class Origin(Part):
    """What a table or a figure is made from.

    Attributes:
        code_hash: of its code.
        manifest: the seal of the manifest that vouched for the rows.
        files: its files -> sha256.
        csv: CSV file -> sha256 of the rows that it shows.
    """

    code_hash: str | None = None
    manifest: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    csv: dict[Literal[CSV_FILES], str] = Field(default_factory=dict)  # type: ignore[valid-type]


class FigureOrigin(Origin):
    """What a figure is made from, and which one it is."""

    profile: str
    experiment: str
    figure: str


_Origin = TypeVar("_Origin", bound=Origin)


def read_origins(folder: str | Path, kind: type[_Origin] = Origin) -> dict[str, _Origin]:
    """Return what the tables or the figures in a folder are made from, by their names.

    Raises:
        DataError: if that is missing or damaged.
    """
    path = Path(folder) / ORIGINS
    try:
        return TypeAdapter(dict[str, kind]).validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        drawn = "tables" if path.parent.name == STAGES["tables"].folder else "figures"
        raise DataError(f"{path} is damaged: pam {drawn} writes it again") from error
