"""An exported file: what it says of itself, and how it is opened to run, whatever its format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from math import prod
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from pam.errors import ConfigError, DataError
from pam.groups import check_task_name
from pam.text_files import UNSHOWN

if TYPE_CHECKING:
    from torch import nn

FORMATS: Mapping[str, str] = {"onnx": ".onnx", "pt2": ".pt2", "state_dict": ".safetensors"}
"""Format -> suffix of its files."""

PROGRAMS = frozenset({"pt2"})
"""Formats whose files may run any program while they are opened."""

UNIT = "pixel / 255"
OUTPUTS = "scores in (-1, 1); above the threshold the image has the label"
IMAGES = "images"
_WHITE = 255
_FORMAT = 1
_FLOAT = np.finfo(np.float32)
_MOST_VALUES = 2**25
"""Of an image, so that a file cannot ask for all memory of a machine."""


@dataclass(frozen=True)
class About:
    """Input, normalisation, outputs and origin of an exported sub-network.

    Attributes:
        input_shape: (channels, height, width) of an image.
        mean, std: per-channel normalisation, in units of a pixel value divided by 255.
        tasks: task -> names of its labels, both in the order of the outputs.
        version: of the project that wrote the file.
        origin: cell and hashes of what the file was made from, JSON-able.
        threshold: a score above it means that the image has the label.
    """

    input_shape: tuple[int, int, int]
    mean: list[float]
    std: list[float]
    tasks: dict[str, list[str]]
    version: str
    origin: dict[str, Any] = field(default_factory=dict)
    threshold: float = 0.0

    def entries(self) -> dict[str, Any]:
        """Return key -> JSON-able value, as the file holds them."""
        tasks = [{"task": task, "labels": labels} for task, labels in self.tasks.items()]
        return {
            "pam.format": _FORMAT,
            "pam.version": self.version,
            "pam.input": IMAGES,
            "pam.input_shape": list(self.input_shape),
            "pam.normalisation": {"mean": self.mean, "std": self.std, "unit": UNIT},
            "pam.tasks": tasks,
            "pam.outputs": OUTPUTS,
            "pam.threshold": self.threshold,
            "pam.origin": self.origin,
        }

    @classmethod
    def of_entries(cls, entries: Mapping[str, Any], path: str | Path) -> "About":
        """Return what :meth:`entries` came from.

        Raises:
            DataError: if an entry is missing or of another format; names ``path``.
        """
        if "pam.format" not in entries:
            raise DataError(f"{path} was not written by `pam export`: it does not say what it is")
        if entries["pam.format"] != _FORMAT:
            raise DataError(f"{path} has the unknown format {entries['pam.format']!r}")
        try:
            channels, height, width = shape = [int(side) for side in entries["pam.input_shape"]]
            tasks = entries["pam.tasks"]
            normalisation = entries["pam.normalisation"]
            about = cls(
                input_shape=(channels, height, width),
                mean=[float(value) for value in normalisation["mean"]],
                std=[float(value) for value in normalisation["std"]],
                tasks={
                    check_task_name(one["task"]): [str(label) for label in one["labels"]]
                    for one in tasks
                },
                version=str(entries["pam.version"]),
                origin=dict(entries["pam.origin"]),
                threshold=float(entries["pam.threshold"]),
            )
            is_size = min(shape) >= 1 and prod(shape) <= _MOST_VALUES
            if not is_size or shape != entries["pam.input_shape"]:
                raise ValueError(f"images of {entries['pam.input_shape']}")
            numbers = [*about.mean, *about.std, about.threshold]
            lengths = {len(about.mean), len(about.std)}
            is_usable = all(abs(number) <= _FLOAT.max for number in numbers)
            is_usable &= all(abs(number) >= _FLOAT.tiny for number in about.std)
            if lengths != {channels} or not is_usable:
                raise ValueError(f"a normalisation by {about.mean} and {about.std}")
            if not about.tasks or not all(about.tasks.values()):
                raise ValueError(f"tasks without labels: {about.tasks}")
            for labels in about.tasks.values():
                if len(set(labels)) < len(labels) or any(map(UNSHOWN.search, labels)):
                    raise ValueError(f"labels that are the same or cannot be shown: {labels}")
            if len(about.tasks) < len(tasks):
                raise ValueError(f"the same task twice, among {list(about.tasks)}")
            return about
        except (ConfigError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise DataError(f"{path} describes itself incompletely: {error!r}") from error

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """Return uint8 images (N, C, H, W) as float32, ``(x / 255 - mean) / std`` per channel."""
        mean, std = (np.float32(values).reshape(-1, 1, 1) for values in (self.mean, self.std))
        return (pixels.astype(np.float32) / _WHITE - mean) / std


@dataclass(frozen=True)
class Model:
    """An exported sub-network that runs.

    Attributes:
        about: what the file says of itself.
        run: maps normalised float32 images (images, channels, height, width) to task -> scores,
            float32 (images, labels of the task).
        runtime: what runs it, with its version.
        details: what is to be said of the file's own format.
    """

    about: About
    run: Callable[[np.ndarray], dict[str, np.ndarray]]
    runtime: str
    details: str

    def scores(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return task -> scores of uint8 images (images, channels, height, width)."""
        return self.run(self.about.normalise(pixels))


def open_model(path: str | Path, threads: int = 1) -> Model:
    """Open a file written by :func:`pam.deploy.exporting.export`, its format told by its suffix.

    Only the library of that format is imported: for ONNX neither torch nor onnx. Opening a file
    runs nothing but the operations of its network and reads no other file, so it may be anybody's.

    Args:
        path: the file.
        threads: that ONNX Runtime may use; torch has its own setting.

    Raises:
        ConfigError: if the suffix is that of no format, or the file could run any program.
        DataError: if the file is missing, damaged, was not written by this project, or its
            network does not take the images or give the scores that it says it does.
    """
    path = Path(path)
    formats = {suffix: name for name, suffix in FORMATS.items()}
    if path.suffix not in formats:
        known = ", ".join(formats)
        raise ConfigError(f"{path} is no exported network: its name must end in one of {known}")
    format = formats[path.suffix]
    if format in PROGRAMS:
        raise ConfigError(
            f"{path} is not opened: a {path.suffix} file can hold any program, and torch would run "
            f"it; export to onnx or state_dict instead"
        )
    if not path.is_file():
        raise DataError(f"{path} does not exist")
    return open_trusted(path, format, threads)


def open_trusted(path: Path, format: str, threads: int = 1) -> Model:
    """Open a file of any format that is known to come from this project.

    Arguments and errors are those of :func:`open_model`; ``format`` is a key of :data:`FORMATS`.
    """
    model = format_module(format).open_file(path, threads)
    _check_scores(model, path)
    return model


def _check_scores(model: Model, path: Path) -> None:
    """Check that a file computes what it says, for black images in batches of two sizes."""
    shape, labels = model.about.input_shape, model.about.tasks
    for size in (1, 2):
        try:
            scores = model.scores(np.zeros((size, *shape), np.uint8))
            given = {task: (scores[task].dtype, scores[task].shape) for task in labels}
        except MemoryError:
            raise
        except Exception as error:  # Every runtime has classes of its own.
            first = str(error).partition("\n")[0]
            raise DataError(f"{path} does not run on {size} images of {shape}: {first}") from error
        for task, (dtype, scored) in given.items():
            if (dtype, scored) != (np.float32, (size, len(labels[task]))):
                raise DataError(
                    f"{path} has {len(labels[task])} labels of task '{task}', but gives {dtype} "
                    f"scores of shape {scored} for {size} images"
                )


def format_module(name: str) -> ModuleType:
    """Return the module of a format: ``packer`` makes files of it, ``open_file`` opens them."""
    return import_module(f"pam.deploy.{name}_file")


def torch_model(module: "nn.Module", about: About, details: str) -> Model:
    """Return a model that a torch module computes: images to task -> scores."""
    import torch

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            scores = module(torch.from_numpy(images))
        return {task: score.numpy() for task, score in scores.items()}

    return Model(about, run, f"torch {torch.__version__}", details)
