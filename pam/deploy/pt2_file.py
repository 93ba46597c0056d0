"""Sub-networks as ``torch.export`` files: run by torch, without this project."""

import json
import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pam.deploy.exported import About, Model, torch_model

if TYPE_CHECKING:
    from pam.networks import GroupedNetwork

ABOUT = "pam.json"
"""The extra file with what the file says of itself."""


def packer(
    network: "GroupedNetwork", tasks: Sequence[str]
) -> Callable[[Sequence[str], About], bytes]:
    """Return what makes the file of a combination of tasks: (combination, about) -> bytes."""

    def pack(combination: Sequence[str], about: About) -> bytes:
        subnetwork = network.subnetwork(combination).eval()
        # A batch of one would be recorded as a constant.
        images = torch.zeros(2, *about.input_shape)
        batch = torch.export.Dim("batch")
        program = torch.export.export(subnetwork, (images,), dynamic_shapes=({0: batch},))
        for node in program.graph.nodes:
            # It tells in which folder of which machine a line of code lay.
            node.meta.pop("stack_trace", None)
        content = BytesIO()
        with warnings.catch_warnings():
            # Of weights whose channels come last in memory, which stay as they are.
            warnings.filterwarnings("ignore", "No complete tensor found")
            extra = {ABOUT: json.dumps(about.entries())}
            torch.export.save(program, content, extra_files=extra)
        return content.getvalue()

    return pack


def open_file(path: Path, threads: int) -> Model:
    """Open a file of :func:`packer`, never one of a stranger: torch unpickles parts of it.

    Torch decides on the number of threads.
    """
    extra = {ABOUT: "{}"}
    program = torch.export.load(path, extra_files=extra)
    about = About.of_entries(json.loads(extra[ABOUT]), path)
    return torch_model(program.module(), about, "torch.export")
