"""Whether a user's own raw files have changed since they were last seen; imports no torch."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pam.config import Config
from pam.errors import ConfigError, DataError
from pam.files import DEFAULT_ROOT, file_hash, read_json, write_json
from pam.runs.cells import Cell
from pam.runs.stages import STAGES
from pam.source.code import HASH_LENGTH

# Beside Snakemake's notes, which hold the hashes that are compared.
NOTES = ".snakemake/raw_data.json"


def check_folders(
    config: Config, root: str | Path | None = None, experiments: Iterable[str] | None = None
) -> None:
    """Check that the folders of a user's own raw files are there.

    Raises:
        ConfigError: for the first folder that is not there.
    """
    for name in config.experiments if experiments is None else experiments:
        folder = config.experiment(name).data.get("folder")
        where = Path(root or DEFAULT_ROOT) / str(folder)
        if folder and not where.is_dir():
            raise ConfigError(
                f"experiments.{name}.data.folder: there is no folder {where}; "
                f"say where '{folder}' lies: DATA=FOLDER, or --data FOLDER"
            )


def cell_raw_hash(config: Config, cell: Cell, root: str | Path | None = None) -> str:
    """Return a hash of the user's own raw files that a cell reads itself; empty if there are none.

    Published data sets never change, so they have none.
    """
    if "pam.data" not in STAGES[cell.stage].plugins:
        return ""
    experiment = config.experiment(cell.experiment)
    data = experiment.trunk_data if cell.stage == "pretrain" else experiment.data
    folder = data.get("folder")
    return raw_hash(root or DEFAULT_ROOT, str(folder)) if folder else ""


def raw_hash(root: str | Path, name: str, notes: str | Path = NOTES) -> str:
    """Return a hash of the names and contents of all files in the folder ``name`` below ``root``.

    Contents are read only if a name, a size or a time of change is another one than last time. A
    folder that is not there, as after the data were prepared, has the hash that it last had.

    Args:
        root: folder of raw data.
        name: folder of a data set.
        notes: where the last hash of every folder is kept.

    Returns:
        12 hexadecimal digits; empty for a folder that was never there, or cannot be read.
    """
    folder, known = Path(root) / name, _read(notes)
    last = known.get(name, {"seen": "", "content": ""})
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            return last["content"]
        states = [(path, path.stat()) for path in files]
        seen = _digest(f"{path}|{state.st_size}|{state.st_mtime_ns}" for path, state in states)
        if seen == last["seen"]:
            return last["content"]
        content = _digest(f"{path.relative_to(folder)}|{file_hash(path)}" for path in files)
    except (DataError, OSError):
        return last["content"]
    with suppress(DataError):
        write_json(notes, known | {name: {"seen": seen, "content": content}})
    return content


def _digest(lines: Iterable[str]) -> str:
    # Names of files need not be UTF-8.
    text = "\n".join(lines).encode(errors="surrogateescape")
    return hashlib.sha256(text).hexdigest()[:HASH_LENGTH]


def _read(notes: str | Path) -> dict[str, dict[str, str]]:
    """Return folder -> ``seen``, ``content``; nothing of a missing or damaged file."""
    known = {}
    with suppress(DataError):
        known = read_json(notes)
    entries = known.items() if isinstance(known, dict) else ()
    keys = {"seen", "content"}
    return {name: one for name, one in entries if isinstance(one, dict) and one.keys() == keys}
