"""Sub-networks as TorchScript files: run by torch or libtorch, without this project."""

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pam.deploy.about import About
from pam.deploy.model import Model
from pam.deploy.torch_runs import model_of
from pam.errors import DataError

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork

ABOUT = "pam.json"
"""The extra file with what the file says of itself."""

# What tells in which folder of which machine a line of code lay.
_DEBUG = ".debug_pkl"


def packer(
    network: "GroupedNetwork", tasks: Sequence[str]
) -> Callable[[Sequence[str], About], bytes]:
    """Return what makes the file of any combination of some tasks: (combination, about) -> bytes.

    Traced, which loses nothing: a sub-network is a straight line of operations.
    """

    def pack(combination: Sequence[str], about: About) -> bytes:
        subnetwork = network.subnetwork(combination).eval()
        images = torch.zeros(2, *about.input_shape)
        with _quiet():
            # Not strict: scores come as a dictionary.
            traced = torch.jit.trace(subnetwork, images, strict=False)
            content = traced.save_to_buffer(_extra_files={ABOUT: json.dumps(about.entries())})
        return _without_debug(content)

    return pack


def _without_debug(content: bytes) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(made, "w") as target:
        for member in source.infolist():
            if not member.filename.endswith(_DEBUG):
                target.writestr(member, source.read(member))
    return made.getvalue()


def open_file(path: Path, threads: int) -> Model:
    """Open a file of :func:`packer`; torch decides on the number of threads.

    Raises:
        DataError: if it is damaged, or was not written by this project.
    """
    noted = {ABOUT: ""}
    try:
        with _quiet():
            module = torch.jit.load(path, map_location="cpu", _extra_files=noted)
        entries = json.loads(noted[ABOUT] or "{}")
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{path} is damaged or not a TorchScript file: {first}") from error
    return model_of(module, About.of_entries(entries, path), "TorchScript")


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # Torch recommends another format; this one is still what runs without Python.
        warnings.filterwarnings("ignore", "`torch.jit.*is deprecated", DeprecationWarning)
        yield
