"""The one place that imports torchvision.

A torchvision whose compiled library does not fit the installed torch (a CUDA build beside a CPU
torch, say) cannot be imported: it describes the operators ``nms`` and ``qnms`` to torch, and they
do not exist. Nothing here uses them, so declaring them is enough to import the rest.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch

from pam.errors import ConfigError

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def torchvision() -> ModuleType:
    """Return the module ``torchvision``, imported on the first call.

    Raises:
        ConfigError: if torchvision is not installed.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ConfigError("torchvision is not installed; install the pinned requirements")
    _load_library(Path(spec.origin).parent)
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            torch.library.define(f"torchvision::{operator}", _SCHEMA)
    return import_module("torchvision")


def _load_library(folder: Path) -> None:
    """Load torchvision's own operators where they fit: an operator cannot be declared twice."""
    for library in (folder / "_C.so", folder / "_C.pyd"):
        if library.is_file():
            try:
                torch.ops.load_library(str(library))
            except OSError:
                return
