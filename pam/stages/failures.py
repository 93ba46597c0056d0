"""Cells that fail: data that cannot be had, training that diverges, networks that collapse, memory.

Such a cell is a result, not an error: its files say so, every job after it passes it on, and the
tables show a dash.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pam.errors import CollapseError, DivergenceError
from pam.files import read_json, read_meta, write_json, write_tensors

Result = TypeVar("Result")

DATA_MISSING = "data_missing"
NO_MEMORY = "the job needs more memory than there is"
JSON = ".json"


@dataclass(frozen=True)
class Failure:
    """Why there is no network, or no data set.

    Attributes:
        status: ``"data_missing"``, ``"diverged"``, ``"collapsed"`` or ``"out_of_memory"``.
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
        return Failure("out_of_memory", NO_MEMORY)
    except RuntimeError as error:
        # How torch says it on the CPU.
        if "can't allocate memory" not in str(error):
            raise
        return Failure("out_of_memory", NO_MEMORY)


def save_failure(
    path: str | Path, failure: Failure, origin: Mapping[str, Any] | None = None
) -> None:
    """Write a file that holds no network, or describes no data set, only why.

    Args:
        path: a network (``.safetensors``) or the description of a data set (``.json``).
        failure: why there is none.
        origin: what the cell that failed was to be made of.
    """
    content = {**asdict(failure), "origin": origin}
    if Path(path).suffix == JSON:
        write_json(path, content)
    else:
        write_tensors(path, {}, content)


def read_failure(path: str | Path) -> Failure | None:
    """Return the failure that a file of :func:`save_failure` tells of, or None if it is another.

    Raises:
        DataError: if the file is missing or damaged.
    """
    content = read_json(path) if Path(path).suffix == JSON else read_meta(path)
    if isinstance(content, dict) and "status" in content:
        return Failure(str(content["status"]), str(content.get("reason", "")))
    return None
