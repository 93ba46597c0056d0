"""Files that appear whole or not at all, and tensors stored without code."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from pam.errors import ChangedError, DataError

if TYPE_CHECKING:
    import numpy as np
    import torch

META_KEY = "pam"
SEAL = "seal"
"""Key of a sealed JSON object: the sha256 of its text with nothing in this place."""

DEFAULT_ROOT = Path("data")
"""Folder of raw data, relative to the working folder."""

_LITTLE_SPACE = 2**20
"""Bytes; a record and a checkpoint of a small network."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block succeeds.

    The content is flushed to disk before the rename, so a reader sees the old file or the new
    one, never a part. What killed processes left of earlier attempts is removed.

    Raises:
        DataError: if the folder cannot be written or the disk is full.
    """
    path = Path(path)
    # The suffix stays last: some writers choose their format by it.
    temporary = path.with_name(f".{path.stem}.tmp-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        # A library may have made the file anew, for its owner alone.
        os.chmod(temporary, mode)
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _sweep(path: Path) -> None:
    """Remove temporary files of ``path`` whose process, on this machine, is no more."""
    left = re.compile(rf"\.{re.escape(path.stem)}\.tmp-(\d{{1,9}}){re.escape(path.suffix)}")
    for entry in os.scandir(path.parent):
        match = left.fullmatch(entry.name)
        if match and not is_running(int(match[1])):
            with suppress(FileNotFoundError):
                os.unlink(entry.path)


def is_running(pid: int) -> bool:
    """Tell whether there is a process of this number on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Somebody else's.
        return True
    return True


def check_room(folder: str | Path) -> None:
    """Check that a folder can be written and that its disk has a little space left.

    Raises:
        DataError: if not, so that a run need not find out by and by.
    """
    probe = Path(folder) / f".probe.tmp-{os.getpid()}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        _sweep(Path(folder) / "probe")
        probe.write_bytes(os.urandom(_LITTLE_SPACE))
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            probe.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as sorted, indented JSON to ``path`` atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Return the JSON value in ``path``.

    Raises:
        DataError: if the file is missing or is not JSON.
    """
    return _parsed(path)[0]


def write_sealed(path: str | Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object as :func:`write_json` does, with the hash of its text in it."""
    text = json.dumps({**value, SEAL: ""}, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_text(path, _resealed(text, "", _text_hash(text)))


def read_sealed(path: str | Path) -> Any:
    """Return the JSON value in a file of :func:`write_sealed`, seal included, or of any other.

    Raises:
        DataError: if the file is missing or is not JSON.
        ChangedError: if it has a seal, and not the text that was sealed.
    """
    value, text = _parsed(path)
    if isinstance(value, dict) and SEAL in value:
        seal = value[SEAL]
        if not isinstance(seal, str) or _text_hash(_resealed(text, seal, "")) != seal:
            raise ChangedError(path)
    return value


def _parsed(path: str | Path) -> tuple[Any, str]:
    """Return the JSON value in a file, and its text."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        return from_json(text), text
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is damaged or not JSON: {error}") from error


def _resealed(text: str, before: str, after: str) -> str:
    return text.replace(f'"{SEAL}": "{before}"', f'"{SEAL}": "{after}"', 1)


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_tensors(path: str | Path, tensors: Mapping[str, "torch.Tensor"], meta: Any) -> None:
    """Write named tensors and a JSON-able ``meta`` to a safetensors file, atomically."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(meta, sort_keys=True, allow_nan=False)
    with atomic_path(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata={META_KEY: text})
        except SafetensorError as error:
            raise DataError(f"cannot write {path}: {error}") from error


def read_tensors(path: str | Path) -> tuple[dict[str, "torch.Tensor"], Any]:
    """Return the tensors and the meta value of a file written by :func:`write_tensors`.

    Raises:
        DataError: if the file is missing, truncated, or was not written by this project.
    """
    with _opened(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, _meta(path, file)  # noqa: SIM118


def read_meta(path: str | Path) -> dict[str, Any]:
    """Return the meta value of a file of :func:`write_tensors` without reading its tensors.

    Raises:
        DataError: if the file is missing or damaged, or its meta value is not a dictionary.
    """
    with _opened(path, "numpy") as file:
        value = _meta(path, file)
    if not isinstance(value, dict):
        raise DataError(f"{path} was not written by pam: its '{META_KEY}' metadata is no table")
    return value


def tensor_hash(tensors: Mapping[str, "torch.Tensor"]) -> str:
    """Return the sha256 (hex) of named tensors: names, dtypes, shapes and bytes, sorted by name."""
    return _array_hash({name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()})


def stored_hash(path: str | Path) -> str:
    """Return the :func:`tensor_hash` of the tensors in a safetensors file, without torch.

    Raises:
        DataError: if the file is missing or damaged.
    """
    with _opened(path, "numpy") as file:
        return _array_hash({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118


@contextmanager
def _opened(path: str | Path, framework: str) -> Iterator[Any]:
    """Open a safetensors file; what reading it raises inside the block becomes a DataError."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise DataError(f"{path} does not exist")
    try:
        with safe_open(str(path), framework=framework) as file:
            yield file
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged or not a safetensors file: {error}") from error


def _meta(path: str | Path, file: Any) -> Any:
    value = json.loads((file.metadata() or {}).get(META_KEY, "null"))
    if value is None:
        raise DataError(f"{path} was not written by pam: it has no '{META_KEY}' metadata")
    return value


def file_hash(path: str | Path, algorithm: str = "sha256") -> str:
    """Return the checksum (hex) of the bytes of a file, by sha256 or another of hashlib's.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(
                handle, lambda: hashlib.new(algorithm, usedforsecurity=False)
            ).hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def json_hash(value: Any) -> str:
    """Return the sha256 (hex) of a JSON-able value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _array_hash(arrays: Mapping[str, "np.ndarray"]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        # The name of the dtype is torch's, whoever reads the file.
        digest.update(f"{name}|torch.{array.dtype}|{array.shape}|".encode())
        digest.update(memoryview(array.ravel()))
    return digest.hexdigest()
