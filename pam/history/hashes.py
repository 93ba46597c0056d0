"""What the hashes in records stand for: modules, and settings.

A record keeps of the code only a hash. So every run writes down what its hashes were made of; where
that is known, ``make status`` can name the module that has changed since.
"""

from contextlib import suppress
from pathlib import Path

from pam.config import Config
from pam.errors import DataError
from pam.files import read_json, write_json
from pam.runs.cells import all_cells, cell_code, cell_modules

# Beside Snakemake's own notes: of no use in another folder.
HASHES = ".snakemake/hashes.json"

Modules = dict[str, dict[str, str]]
"""Hash of code -> {module: hash}."""


def remember(config: Config, path: str | Path = HASHES) -> None:
    """Add what the hashes of a configuration stand for to those of earlier runs.

    Raises:
        DataError: if the file cannot be written.
    """
    known = recall(path)
    new = {cell_code(config, cell): cell_modules(config, cell) for cell in all_cells(config)}
    if known | new != known:
        write_json(path, known | new)


def recall(path: str | Path = HASHES) -> Modules:
    """Return what is known of hashes; of a missing or damaged file nothing."""
    with suppress(DataError):
        known = read_json(path)
        if isinstance(known, dict) and all(isinstance(one, dict) for one in known.values()):
            return known
    return {}
