"""Cells that fail: training that diverges, networks that collapse, memory that runs out.

Such a cell is a result, not an error: its files say so, every job after it passes it on, and the
tables show a dash.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pam.errors import CollapseError, DivergenceError
from pam.files import read_tensors, write_tensors

Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """Why there is no network.

    Attributes:
        status: ``"diverged"``, ``"collapsed"`` or ``"out_of_memory"``.
        reason: one sentence.
    """

    status: str
    reason: str

    def within(self, where: str) -> "Failure":
        """Return the same failure, its reason led by where it happened."""
        return Failure(self.status, f"{where}: {self.reason}")


def attempt(work: Callable[[], Result]) -> Result | Failure:
    """Return what ``work`` returns, or how it failed; every other error passes through."""
    import torch

    try:
        return work()
    except DivergenceError as error:
        return Failure("diverged", str(error))
    except CollapseError as error:
        return Failure("collapsed", str(error))
    except (MemoryError, torch.OutOfMemoryError):
        return Failure("out_of_memory", "the job needs more memory than there is")
    except RuntimeError as error:
        # How torch says it on the CPU.
        if "can't allocate memory" not in str(error):
            raise
        return Failure("out_of_memory", "the job needs more memory than there is")


def save_failure(path: str | Path, failure: Failure) -> None:
    """Write a network file that holds no network, only why."""
    write_tensors(path, {}, {"status": failure.status, "reason": failure.reason})


def read_failure(path: str | Path) -> Failure | None:
    """Return the failure that a network file tells of, or None if it holds a network.

    Raises:
        DataError: if the file is missing or damaged.
    """
    _, meta = read_tensors(path)
    if isinstance(meta, dict) and "status" in meta:
        return Failure(str(meta["status"]), str(meta.get("reason", "")))
    return None


def first_failure(*paths: str | Path) -> Failure | None:
    """Return the first failure among network files, or None if all hold networks."""
    return next((failure for path in paths if (failure := read_failure(path))), None)
