"""A prepared data set on disk: one tensor file per part, and ``dataset.json`` with checksums."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from pam.data.dataset import PARTS, MultitaskDataset, Split
from pam.data.registry import DataSize, with_defaults
from pam.errors import DataError, PamError
from pam.files import read_json, read_tensors, tensor_hash, write_json, write_tensors

RECORD = "dataset.json"
# What does not count when two data sets are compared.
_NOT_CONTENT = ("data_hash", "origin")
# Key of a description that only says why there are no data.
FAILED = "status"
FORMAT = 1


def dataset_files(folder: str | Path) -> list[Path]:
    """Return the files of a prepared data set: its parts, and last its description."""
    return [*(_part_path(Path(folder), part) for part in PARTS), Path(folder) / RECORD]


def save_dataset(
    dataset: MultitaskDataset, folder: str | Path, origin: Mapping[str, Any] | None = None
) -> str:
    """Write a data set to a folder and return its hash.

    Files: ``{train,validation,test}.safetensors`` (tensors ``images`` uint8, ``labels`` int8) and,
    last, ``dataset.json``: name, tasks, label names, normalisation, options, and per part the
    number of samples, the share of samples with each label, and the sha256 of the tensors.

    Args:
        dataset: what to write.
        folder: where to.
        origin: code and options behind it, JSON-able; stored in every tensor file.

    Raises:
        DataError: if the folder cannot be written.
    """
    folder = Path(folder)
    parts = {}
    for part in PARTS:
        split: Split = getattr(dataset, part)
        tensors = {"images": split.images, "labels": split.labels}
        sha256 = tensor_hash(tensors)
        meta = _part_meta(dataset.name, part, sha256, origin)
        write_tensors(_part_path(folder, part), tensors, meta)
        parts[part] = {
            "samples": len(split),
            "label_frequencies": [n / len(split) for n in (split.labels == 1).sum(0).tolist()],
            "sha256": sha256,
        }
    record: dict[str, Any] = {
        "format": FORMAT,
        "name": dataset.name,
        "tasks": dataset.tasks,
        # JSON objects are written with sorted keys, but the order of tasks is part of the data.
        "task_order": list(dataset.tasks),
        "label_names": dataset.label_names,
        "mean": dataset.mean,
        "std": dataset.std,
        "options": dataset.options,
        "parts": parts,
        "origin": origin,
    }
    record["data_hash"] = _record_hash(record)
    write_json(folder / RECORD, record)
    return record["data_hash"]


def load_dataset(folder: str | Path, *, verify: bool = True) -> MultitaskDataset:
    """Return a data set written by :func:`save_dataset`.

    Args:
        folder: the folder given to :func:`save_dataset`.
        verify: compare the checksum of every tensor file, which reads it all once.

    Raises:
        DataError: if a file is missing, damaged or of another data set.
        ShapeError: if a tensor is of another type or shape than those of a data set.
    """
    folder = Path(folder)
    record = _read_record(folder)
    try:
        return MultitaskDataset(
            name=record["name"],
            tasks={task: record["tasks"][task] for task in record["task_order"]},
            label_names=record["label_names"],
            mean=record["mean"],
            std=record["std"],
            options=record["options"],
            **{part: _read_part(folder, part, record, verify) for part in PARTS},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unusable(f"{folder / RECORD} describes no data set: {error!r}", folder) from error
    except PamError as error:
        if str(folder) in str(error):
            raise
        raise type(error)(f"{folder / RECORD}: {error}") from error


def data_hash(folder: str | Path) -> str:
    """Return the sha256 (hex) of a stored data set, from its ``dataset.json`` alone.

    It covers tensors, tasks, names, normalisation and options, not the code that made them.

    Raises:
        DataError: if ``dataset.json`` is missing or damaged.
    """
    return _read_record(Path(folder))["data_hash"]


def prepared_size(folder: str | Path, name: str, options: Mapping[str, Any]) -> DataSize | None:
    """Return the size of a prepared data set; None if there is none, or one of other options.

    There is none either where preparing it failed.

    Raises:
        ConfigError: for an unknown data set.
        DataError: if its files are damaged.
    """
    folder = Path(folder)
    if not (folder / RECORD).is_file():
        return None
    record = read_json(folder / RECORD)
    if isinstance(record, dict) and FAILED in record:
        return None
    wanted = with_defaults(name, options)
    try:
        made = record["options"]
        same = record["name"] == name and all(made[key] == wanted.get(key) for key in made)
        if not same:
            return None
        with safe_open(folder / "train.safetensors", "np") as file:
            images, *shape = file.get_slice("images").get_shape()
    except (KeyError, TypeError, OSError, SafetensorError) as error:
        raise DataError(f"the data set in {folder} is damaged: {error}; delete it") from error
    return DataSize(tuple(shape), images)


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        record = read_json(path)
    except DataError as error:
        raise _unusable(error, folder) from error
    if isinstance(record, dict) and FAILED in record:
        reason = f"{folder} holds no data, since preparing it failed: {record.get('reason')}"
        raise _unusable(reason, folder)
    if not isinstance(record, dict) or record.get("data_hash") != _record_hash(record):
        raise _unusable(f"{path} is damaged: its checksum does not match", folder)
    if record.get("format") != FORMAT:
        raise _unusable(f"{path} has the unknown format {record.get('format')!r}", folder)
    return record


def _read_part(folder: Path, part: str, record: dict[str, Any], verify: bool) -> Split:
    path = _part_path(folder, part)
    try:
        tensors, meta = read_tensors(path)
    except DataError as error:
        raise _unusable(error, folder) from error
    sha256 = record["parts"][part]["sha256"]
    due = _part_meta(record["name"], part, sha256, record.get("origin"))
    if meta != due or set(tensors) != {"images", "labels"}:
        raise _unusable(f"{path} does not belong to {folder / RECORD}", folder)
    if verify and tensor_hash(tensors) != sha256:
        raise _unusable(f"{path} is damaged: its checksum does not match", folder)
    try:
        return Split(tensors["images"], tensors["labels"])
    except PamError as error:
        raise type(error)(f"{path}: {error}") from error


def _unusable(reason: object, folder: Path) -> DataError:
    return DataError(f"{reason}; delete {folder} and prepare the data again (pam prepare)")


def _part_path(folder: Path, part: str) -> Path:
    return folder / f"{part}.safetensors"


def _part_meta(
    name: str, part: str, sha256: str, origin: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {"dataset": name, "part": part, "sha256": sha256, "origin": origin}


def _record_hash(record: dict[str, Any]) -> str:
    """Return the sha256 of a record without its hash and origin."""
    content = {key: value for key, value in record.items() if key not in _NOT_CONTENT}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
