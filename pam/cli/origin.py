"""What decides an artefact, and the hashes by which it is known again."""

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pam.config.paths import run_of
from pam.provenance import config_hash, content_hash

# Where raw data lie decides nothing, and is nobody's business but the owner's.
PRIVATE = ("--root",)


@dataclass(frozen=True)
class Origin:
    """What decides an artefact besides its parents and seeds.

    Attributes:
        cell: rule, experiment, dataset, architecture and, as far as the job has them, task,
            merging, pruning and seed.
        config: the slice of the configuration that it depends on.
        code: hash of the code that makes it.
        data: hash of the data set; empty while there is none.
    """

    cell: Mapping[str, Any]
    config: Mapping[str, Any]
    code: str
    data: str = ""

    @property
    def hashes(self) -> dict[str, str]:
        """The hashes of configuration, code and data."""
        return {
            "config_hash": config_hash(self.config),
            "code_hash": self.code,
            "data_hash": self.data,
        }

    @property
    def label(self) -> dict[str, Any]:
        """What the artefact's own file says of it, wherever the file is taken."""
        return {**self.cell, **self.hashes}


def path_in_run(path: str | Path, record: Path) -> str:
    """Return a path as seen from the folder of the run that a record lies in."""
    return os.path.relpath(path, run_of(record))


def content_hashes(paths: Iterable[str | Path], record: Path) -> dict[str, str]:
    """Return path -> hash of its content; the paths are those of :func:`path_in_run`."""
    return {path_in_run(path, record): content_hash(path) for path in paths}


def command_line(words: Sequence[str]) -> str:
    """Return the words after ``pam`` as a line for a shell, folders of raw data left out."""
    said = list(words)
    for index, word in enumerate(said[:-1]):
        if word in PRIVATE:
            said[index + 1] = "..."
    return shlex.join(["pam", *said])
