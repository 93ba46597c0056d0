"""An exported file, opened to run: the same for every format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from pam.deploy.about import About
from pam.errors import ConfigError, DataError

FORMATS: Mapping[str, tuple[str, ...]] = {
    "onnx": (".onnx",),
    "torchscript": (".ts", ".pt"),
    "state_dict": (".safetensors",),
}
"""Format -> suffixes of its files, the usual one first."""


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

    Only the library of that format is imported: for ONNX neither torch nor onnx.

    Args:
        path: the file.
        threads: that ONNX Runtime may use; torch has its own setting.

    Raises:
        ConfigError: if the suffix is that of no format.
        DataError: if the file is missing, damaged, or was not written by this project.
    """
    path = Path(path)
    module = format_module(format_of(path))
    if not path.is_file():
        raise DataError(f"{path} does not exist")
    return module.open_file(path, threads)


def format_of(path: Path) -> str:
    """Return the format that a suffix stands for.

    Raises:
        ConfigError: if it stands for none.
    """
    for name, suffixes in FORMATS.items():
        if path.suffix in suffixes:
            return name
    known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise ConfigError(f"{path} is no exported network: its name must end in one of {known}")


def format_module(name: str) -> ModuleType:
    """Return the module of a format: ``packer`` makes files of it, ``open_file`` opens them."""
    return import_module(f"pam.deploy.{name}_file")
