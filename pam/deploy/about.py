"""What an exported file says of itself: all that is needed to run it and to read its scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pam.errors import DataError

UNIT = "pixel / 255"
OUTPUTS = "scores in (-1, 1); above the threshold the image has the label"
IMAGES = "images"
_WHITE = 255
_FORMAT = 1


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
            channels, height, width = map(int, entries["pam.input_shape"])
            normalisation = entries["pam.normalisation"]
            return cls(
                input_shape=(channels, height, width),
                mean=[float(value) for value in normalisation["mean"]],
                std=[float(value) for value in normalisation["std"]],
                tasks={
                    str(one["task"]): [str(label) for label in one["labels"]]
                    for one in entries["pam.tasks"]
                },
                version=str(entries["pam.version"]),
                origin=dict(entries["pam.origin"]),
                threshold=float(entries["pam.threshold"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} describes itself incompletely: {error!r}") from error

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 images, ``(x / 255 - mean) / std`` per channel.

        Args:
            pixels: uint8 (images, channels, height, width).
        """
        mean, std = (np.float32(values).reshape(-1, 1, 1) for values in (self.mean, self.std))
        return (pixels.astype(np.float32) / _WHITE - mean) / std
